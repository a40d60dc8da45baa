"""Feature topology: its options, and the training images and layers that it is measured on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import xarray as xr
from jaxtyping import Float, Int

import jaxunits as ju

from ..settings import COUNT
from ..subject import Subject, present_classes


@dataclass(frozen=True)
class Topology:
    """Feature topology of a layer's maps on training images."""

    layers: tuple[str, ...] = ()
    """Which layers; the first with square maps of 6×6 to 14×14 by default."""
    classes: tuple[str, ...] = ()
    """Which classes; all by default."""
    images: Annotated[int, COUNT] = 200
    """Training images per class, at most, drawn at random."""
    limit: Annotated[int, COUNT] = 50
    """The largest birth point that counts."""
    convention: Literal["paper", "authors"] = "paper"
    """Whether sizes are ranked from 1, or signed values from 0 as in the authors' code."""
    p: Annotated[float | None, ju.Range(0, 1)] = None
    """The selective rate below which a unit is not effective; the convention's by default."""
    shown_class: str | None = None
    """The class that figures of a single class show; the first by default."""
    random_orders: Annotated[int, COUNT] = 10
    """Random orders to compare cumulative ablation with."""
    greedy: bool = True
    """Whether greedy ablation of the shown class is a bound to compare with."""
    seed: Annotated[int, ju.SEEDS] = 0
    """The seed of the drawn images, the random orders and the subsets."""

    def effectiveness(self, births: Int[np.ndarray, "images units"]) -> Float[np.ndarray, " units"]:
        """How well each unit represents the class of the images, by these settings."""
        return ju.topology.effectiveness(births, p=self.p, convention=self.convention)

    def birth_points(
        self,
        network: ju.networks.Classifier,
        layer: str,
        data: ju.data.Dataset,
        progress: Callable[[int, int], None] | bool = False,
    ) -> xr.Dataset:
        """What `ju.topology.layer_birth_points` gives by these settings."""
        return ju.topology.layer_birth_points(
            network,
            layer,
            data,
            limit=self.limit,
            convention=self.convention,
            progress=progress,
        )

    def shown(self, classes: Sequence[str]) -> str:
        """The class to show, of those that were measured."""
        if self.shown_class is not None and self.shown_class not in classes:
            raise ju.unknown_name("class", self.shown_class, classes, "the measured topology")
        return classes[0] if self.shown_class is None else self.shown_class


def chosen_classes(subject: Subject, data: ju.data.Dataset) -> tuple[str, ...]:
    """The classes whose topology was asked for; by default all that have images here."""
    asked = subject.config.of(Topology).classes
    for name in asked:
        data.class_index(name)
    return asked or present_classes(data)


# Every measurement of a network asks for them, layer by layer and class by class.
@functools.lru_cache(maxsize=1)
def topology_images(subject: Subject) -> ju.data.Dataset:
    """The training images whose topology is looked at: of the chosen classes, so many of each.

    Raises:
      InputError: a class does not exist, or training images cannot be loaded.
    """
    topology = subject.config.of(Topology)
    data = subject.training_images
    random = np.random.default_rng(topology.seed)
    chosen = []
    for name in chosen_classes(subject, data):
        images = np.flatnonzero(data.labels == data.class_index(name))
        if len(images) > topology.images:
            images = np.sort(random.choice(images, topology.images, replace=False))
        chosen.append(images)
    return ju.data.subset(data, np.concatenate(chosen))


def square_layers(subject: Subject) -> tuple[str, ...]:
    """The layers whose topology was asked for, or the default one.

    That is the first with square maps of 6×6 to 14×14, or the last with maps.

    Raises:
      InputError: one that was asked for has no maps.
    """
    asked = subject.config.of(Topology).layers or subject.config.layers
    shapes = {
        layer.name: layer.map_shape or ()
        for layer in subject.network.layers.values()
        if layer.has_maps
    }
    subject.refuse_without_maps(asked, ", whose topology could be looked at", "topology.layers")
    fitting = [
        name for name, shape in shapes.items() if shape[0] == shape[1] and 6 <= shape[0] <= 14
    ]
    return asked or tuple(fitting[:1]) or subject.last_maps
