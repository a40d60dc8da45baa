"""Random units removed, more and more: of each layer, and of all layers together.

Morcos et al. 2018 §3.1. Accuracy is measured on the images that the network was trained on, with
the labels that it was trained on, and on held-out images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import xarray as xr
from jaxtyping import Float32, Int

import jaxunits as ju

from ..measurement import Measurement, Results, each_layer
from ..progress import image_bar
from ..settings import COUNT
from ..subject import Subject

Values = Literal["zero", "mean", "resample"]


@dataclass(frozen=True)
class Removal:
    """Random units removed, more and more."""

    draws: Annotated[int, COUNT] = 10
    """Random orders of the units."""
    steps: Annotated[int, COUNT] = 20
    """Steps from all units to none; an even number has one with half of them."""
    images: Annotated[int, COUNT] = 4000
    """Images of each set, at most, drawn at random."""
    seed: Annotated[int, ju.SEEDS] = 0
    """Of the orders and the images."""

    def removed(self, units: int) -> Int[np.ndarray, " steps"]:
        """How many of some units are removed at each step."""
        return np.unique(np.linspace(0, units, self.steps + 1).round().astype(int))

    def drawn(self, data: ju.data.Dataset) -> ju.data.Dataset:
        """Some of a set's images, or all."""
        return (
            data if len(data) <= self.images else ju.data.sample(data, self.images, seed=self.seed)
        )

    def masks(self, units: int) -> Float32[np.ndarray, "masks units"]:
        """The masks of every step of every order."""
        orders = ju.ablation.random_orders(units, self.draws, seed=self.seed)
        # A unit's place in an order says from which step on it is gone.
        kept = np.argsort(orders, axis=1)[:, None] >= self.removed(units)[:, None]
        return kept.reshape(-1, units).astype(np.float32)


def _content(subject: Subject, layer: str) -> dict[str, str]:
    return {
        **subject.sweep_settings(layer),
        "trained_on": subject.training_images.fingerprint,
    }


def _content_of_all(subject: Subject, layer: str) -> dict[str, str]:
    settings = ju.ablation.sweep_settings(subject.network, layer, subject.data)
    return {
        **settings,
        "precision": subject.config.precision,
        "trained_on": subject.training_images.fingerprint,
        "layers": ", ".join(_in_order(subject)),
    }


def _in_order(subject: Subject) -> list[str]:
    """The layers that were asked for, in the network's order."""
    return list(subject.network.chosen_layers(list(subject.layers)))


def _of_each(subject: Subject, layer: str, _: Results) -> xr.Dataset:
    return _curves(subject, removal, [layer], subject.config.values)


def _of_all(subject: Subject, _: str, __: Results) -> xr.Dataset:
    return _curves(subject, removal_of_all, _in_order(subject), "zero")


def _curves(
    subject: Subject, measurement: Measurement, layers: Sequence[str], values: Values
) -> xr.Dataset:
    """Accuracy and loss on both sets of images while random units of some layers go."""
    wanted = subject.config.of(Removal)
    counts = [subject.units(name) for name in layers]
    masks = np.split(wanted.masks(sum(counts)), np.cumsum(counts)[:-1], axis=1)
    sides = {"training": subject.training_images, "test": subject.data}
    each = []
    for side, data in sides.items():
        title = f"random units of {', '.join(layers)} removed, {side} images"
        with image_bar(subject.console, title) as progress:
            found = ju.ablation.sweep(
                subject.network,
                layers[0],
                wanted.drawn(data),
                masks[0],
                other_masks=dict(zip(layers[1:], masks[1:], strict=True)),
                values=values,
                file=measurement.unfinished(subject, layers[0]) / f"{side}.nc",
                progress=progress,
                **subject.options(),
            )
        each.append(_shares(found, wanted.draws))
    return (
        xr.concat(each, "side", data_vars="all")
        .assign_coords(side=list(sides), removed=("step", wanted.removed(sum(counts))))
        .assign_attrs(units=sum(counts))
    )


def _shares(found: xr.Dataset, draws: int) -> xr.Dataset:
    """The share of correct images and the mean loss, by `draw` and `step`."""
    images = int(found.n_images.sum())
    kinds = {"accuracy": found.correct, "loss": found.loss_sum}
    axes = ("draw", "step")
    return xr.Dataset(
        {
            kind: (axes, sums.sum("class").values.reshape(draws, -1) / images)
            for kind, sums in kinds.items()
        }
    )


def _calls(subject: Subject) -> float:
    """As many as there are images of both sets, compared with those of the first."""
    wanted = subject.config.of(Removal)
    training, test = (len(wanted.drawn(data)) for data in (subject.training_images, subject.data))
    return (training + test) / training


def with_half(curves: xr.Dataset) -> xr.DataArray:
    """The accuracy with half of the units, by `side` and `draw`."""
    step = int(np.abs(2 * curves.removed.values - curves.attrs["units"]).argmin())
    return curves.accuracy.isel(step=step, drop=True)


def with_all(curves: xr.Dataset) -> xr.DataArray:
    """The accuracy with all units, by `side` and `draw`."""
    return curves.accuracy.isel(step=0, drop=True)


def share_kept(curves: xr.Dataset) -> xr.DataArray:
    """What is left of the accuracy with half of the units, by `side` and `draw`; NaN of nothing."""
    whole = with_all(curves)
    return with_half(curves) / whole.where(whole > 0)


def area_under(curves: xr.Dataset) -> xr.DataArray:
    """The mean accuracy over all numbers of removed units, by `side` and `draw`."""
    share = curves.removed.values / curves.attrs["units"]
    return curves.accuracy.assign_coords(step=share).integrate("step")


removal = Measurement(
    "removal",
    each_layer(_of_each),
    _content,
    options=("split", "values", "precision", Removal),
    training="images",
    calls=_calls,
)
removal_of_all = Measurement(
    "removal_of_all",
    each_layer(_of_all),
    _content_of_all,
    options=("split", "precision", Removal),
    # Kept as the first layer's.
    layers=lambda subject: _in_order(subject)[:1],
    training="images",
    calls=_calls,
)
