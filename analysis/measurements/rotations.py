"""Directions of random rotations, each ablated alone (Zhou et al. 2018 §3.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import xarray as xr

import jaxunits as ju

from ..measurement import Measurement, Results, asked_layers, each_layer
from ..progress import image_bar
from ..settings import COUNT
from ..subject import Subject


@dataclass(frozen=True)
class Rotations:
    """Random rotations of a layer's units."""

    count: Annotated[int, COUNT] = 5
    """How many rotations."""
    seed: Annotated[int, ju.SEEDS] = 0
    """The seed of the first rotation; the others have the seeds that follow."""
    layers: tuple[str, ...] = ()
    """Which layers; the last with maps by default. Where a max-pool follows, every direction takes
    a pass through the rest of the network."""


_BY_DIRECTION = (
    *("correct", "broken", "class_accuracy_drop"),
    *("overall_accuracy_drop", "max_class_accuracy_drop"),
)


def _measure(subject: Subject, layer: str, _: Results) -> xr.Dataset:
    wanted = subject.config.of(Rotations)
    units = subject.units(layer)
    swept = []
    for number in range(wanted.count):
        title = f"rotation {number + 1} of {wanted.count} of {layer}, {units} directions"
        with image_bar(subject.console, title) as progress:
            found = ju.ablation.directions(
                subject.network,
                layer,
                subject.data,
                ju.ablation.haar(units, seed=wanted.seed + number),
                # One file a rotation, so that a kill loses little.
                file=rotations.unfinished(subject, layer) / f"{number}.nc",
                progress=progress,
                **subject.options(),
            )
        swept.append(found)
    parts_of = [each[list(_BY_DIRECTION)] for each in swept]
    whole = xr.concat(parts_of, "rotation", data_vars="all")
    return whole.assign(swept[0][["correct_before", "n_images"]])


rotations = Measurement(
    "rotations",
    each_layer(_measure),
    lambda of, layer: ju.ablation.sweep_settings(of.network, layer, of.data),
    options=("split", "precision", Rotations),
    calls=lambda subject: subject.config.of(Rotations).count,
    layers=asked_layers(Rotations),
)
