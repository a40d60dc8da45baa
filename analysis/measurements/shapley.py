"""Shapley values of a layer's units (Ghorbani and Zou 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import xarray as xr

import jaxunits as ju

from ..measurement import (
    SWEEP,
    Measurement,
    Option,
    Progress,
    Results,
    asked_layers,
    layer_by_layer,
)
from ..settings import COUNT, FROM_ZERO, Settings
from ..subject import Subject


@dataclass(frozen=True)
class Shapley:
    """Shapley values of units, and what is left of the network when units go in their order."""

    orders: Annotated[int, ju.Range(4, 10**6)] = 256
    """Random orders of the layer, at most; each has its reverse among them."""
    images_per_order: Annotated[int | None, COUNT] = None
    """How many images are evaluated along the same orders, at most; all by default."""
    standard_error: Annotated[float | None, ju.Range(0, 1, open="least")] = None
    """Stop when every unit's overall value is known to this, as a share of images."""
    seed: Annotated[int, ju.SEEDS] = 0
    """Of the orders, and of the choice of images for pruning."""
    images: Annotated[int, COUNT] = 1000
    """For pruning: training images, at most, to rank units on; without training images half of
    those that are measured on."""
    random_orders: Annotated[int, FROM_ZERO] = 10
    """For pruning: random orders to compare with."""
    layers: tuple[str, ...] = ()
    """Which layers; the last with maps by default. Where much of the network lies behind a layer,
    an order costs that many passes for each of its units."""


# What the values depend on; the rest is of pruning.
_OPTIONS = tuple(
    (Shapley, name) for name in ("orders", "images_per_order", "standard_error", "seed")
)


def on_all_images(config: Settings) -> Sequence[Option]:
    """The option that does not matter where all images share their orders."""
    name = "images_per_order"
    return () if config.of(Shapley).images_per_order else ((Shapley, name),)


def values_on(
    subject: Subject, layer: str, data: ju.data.Dataset, file: str, progress: Progress | bool
) -> xr.Dataset:
    """Shapley values on some images, with the subject's options.

    Args:
      subject: the network.
      layer: the layer.
      data: the images.
      file: where the result is kept on the way.
      progress: moves a bar.
    """
    wanted = subject.config.of(Shapley)
    return ju.ablation.shapley(
        subject.network,
        layer,
        data,
        num_orders=wanted.orders,
        images_per_order=wanted.images_per_order,
        standard_error=wanted.standard_error,
        seed=wanted.seed,
        values=subject.config.values,
        file=file,
        progress=progress,
        **subject.options(),
    )


def shapley_content(subject: Subject, layer: str) -> dict[str, str]:
    """What Shapley values depend on beside options."""
    return {**subject.sweep_settings(layer), "masks": "random orders"}


def _values(subject: Subject, layer: str, _: Results, progress: Progress) -> xr.Dataset:
    file = str(shapley.unfinished(subject, layer) / "shapley.nc")
    return values_on(subject, layer, subject.data, file, progress)


shapley = Measurement(
    "shapley",
    layer_by_layer(lambda _, layer: f"Shapley values of {layer}", _values),
    shapley_content,
    options=(*SWEEP, *_OPTIONS),
    without=on_all_images,
    layers=asked_layers(Shapley),
)
