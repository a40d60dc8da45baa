"""Cumulative ablation by the importance ranks that different images give.

Zhao and Zhang 2021 §3.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import xarray as xr
from jaxtyping import Int64

import jaxunits as ju

from ..measurement import Measurement, Option, Results, each_layer
from ..progress import each_with_bar
from ..settings import COUNT
from ..subject import Subject
from .births import births, births_of
from .cumulative import CUMULATIVE, class_curves, cumulative_content, shown_held_out_class
from .topology import Topology, square_layers, topology_images


@dataclass(frozen=True)
class Stability:
    """Whether the importance rank depends on which images are taken."""

    sizes: Annotated[tuple[int, ...], COUNT] = (10, 20, 50, 100)
    """Images per subset; sizes that a class has too few images for are left out."""
    subsets: Annotated[int, COUNT] = 100
    """Random subsets of each size."""
    top: Annotated[int | None, COUNT] = None
    """How many units count as the first; by default 20 as in Zhao and Zhang 2021, but at most a
    quarter of the layer."""
    chosen: Annotated[int | None, COUNT] = None
    """How many of the units most often among the first are named; three quarters of top by
    default."""
    compared: Annotated[int | None, COUNT] = None
    """Over how many units the stability is averaged; half of top by default."""

    def sizes_within(self, images: int) -> list[int]:
        """The sizes of at most half of the images, of which many subsets differ; one at least."""
        return [size for size in self.sizes if 2 * size <= images] or [max(1, images // 2)]

    def of_layer(self, units: int) -> tuple[int, int, int]:
        """`top`, `chosen` and `compared` of a layer: 20, 15 and 10 where it is large."""
        top = self.top or max(1, min(20, units // 4))
        return top, self.chosen or max(1, 3 * top // 4), self.compared or max(1, top // 2)


_OPTIONS: tuple[Option, ...] = (
    (Topology, "shown_class"),
    (Stability, "sizes"),
    (Stability, "subsets"),
)


def _content(subject: Subject, layer: str) -> dict[str, str]:
    return {**cumulative_content(subject, layer), "class": shown_held_out_class(subject)}


def _measure(subject: Subject, layer: str, results: Results) -> xr.Dataset:
    name = shown_held_out_class(subject)
    training, held_out = _sides(subject)
    stability, topology = subject.config.of(Stability), subject.config.of(Topology)
    size = stability.sizes_within(len(training))[0]
    subsets = ju.topology.random_subsets(
        len(training), size, num_subsets=stability.subsets, seed=topology.seed
    )
    samples = {
        "subset": ju.data.subset(training, subsets[0]),
        "training": training,
        "held out": held_out,
    }
    births = births_of(results["births"][layer], name).values
    elsewhere = topology.birth_points(subject.network, layer, held_out).birth_point.values
    orders = _orders(topology, births, subsets, elsewhere)
    title = f"importance ranks of {layer}"
    each = [
        _curves(subject, layer, data, orders)
        for data in each_with_bar(subject.console, title, samples.values(), of="samples")
    ]
    images = ("sample", [len(data) for data in samples.values()])
    whole = xr.concat(each, "sample", data_vars="all")
    return whole.assign_coords(sample=list(samples), images=images)


def _sides(subject: Subject) -> tuple[ju.data.Dataset, ju.data.Dataset]:
    """The shown class's training images and its held-out images."""
    name = shown_held_out_class(subject)
    training = ju.data.of_class(topology_images(subject), name)
    return training, ju.data.of_class(subject.data, name)


def _orders(
    topology: Topology,
    births: Int64[np.ndarray, "images units"],
    subsets: Int64[np.ndarray, "subsets size"],
    held_out: Int64[np.ndarray, "held_out_images units"],
) -> dict[str, Int64[np.ndarray, " units"]]:
    """The importance ranks of a subset, of all, of held-out images, and of the subsets' mean."""
    effectiveness = topology.effectiveness
    of_subsets = np.stack([effectiveness(births[subset]) for subset in subsets])
    of_samples = {
        "subset": of_subsets[0],
        "training": effectiveness(births),
        "held out": effectiveness(held_out),
        "mean of subsets": of_subsets.mean(0),
    }
    return {name: ju.topology.importance_order(each) for name, each in of_samples.items()}


def _curves(
    subject: Subject,
    layer: str,
    images: ju.data.Dataset,
    orders: Mapping[str, Int64[np.ndarray, " units"]],
) -> xr.Dataset:
    """Accuracy and loss of the class on some images, the most important unit first."""
    name, every = shown_held_out_class(subject), np.stack(list(orders.values()))
    curves = class_curves(subject, ju.ablation.cumulative, layer, every, name, images)
    return xr.Dataset(
        {kind: (("ranking", "step"), values.values) for kind, values in curves.items()},
        coords={"ranking": list(orders), "step": np.arange(curves["accuracy"].shape[1])},
    )


def _planned(subject: Subject, layer: str) -> object:
    """The curves on the held-out images."""
    order = np.arange(subject.units(layer))
    _, held_out = _sides(subject)
    return _curves(subject, layer, held_out, {str(number): order for number in range(4)})


def _calls(subject: Subject) -> float:
    """As many as there are images of all samples, compared with those that are held out."""
    training, held_out = _sides(subject)
    first = subject.config.of(Stability).sizes_within(len(training))[0]
    return (first + len(training) + len(held_out)) / len(held_out)


samples = Measurement(
    "samples",
    each_layer(_measure),
    _content,
    options=(*CUMULATIVE, *_OPTIONS),
    layers=square_layers,
    after=(births,),
    training="images",
    calls=_calls,
    planned=_planned,
)
