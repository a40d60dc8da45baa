"""Directions of random rotations, each ablated alone (Zhou et al. 2018 §3.4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import xarray as xr

import jaxunits as ju

from ..measurement import Measurement, Results, asked_layers
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


def _content(subject: Subject, layer: str) -> dict[str, str]:
    return ju.ablation.sweep_settings(subject.network, layer, subject.data)


def _measure(
    subject: Subject, layers: Sequence[str], _: Results
) -> Iterator[tuple[str, xr.Dataset]]:
    wanted = subject.config.of(Rotations)
    for layer in layers:
        units = subject.network.layer(layer).num_units
        swept = []
        for number in range(wanted.count):
            title = f"rotation {number + 1} of {wanted.count} of {layer}, {units} directions"
            with image_bar(subject.console, title) as progress:
                swept.append(
                    ju.ablation.directions(
                        subject.network,
                        layer,
                        subject.data,
                        ju.ablation.haar(units, seed=wanted.seed + number),
                        # One file a rotation, so that a kill loses little.
                        file=rotations.unfinished(subject, layer) / f"{number}.nc",
                        progress=progress,
                        **subject.options(),
                    )
                )
        parts_of = [each[list(_BY_DIRECTION)] for each in swept]
        whole = xr.concat(parts_of, "rotation", data_vars="all")
        yield layer, whole.assign(swept[0][["correct_before", "n_images"]])


rotations = Measurement(
    "rotations",
    _measure,
    _content,
    options=("split", "precision", Rotations),
    calls=lambda subject: subject.config.of(Rotations).count,
    layers=asked_layers(Rotations),
)
