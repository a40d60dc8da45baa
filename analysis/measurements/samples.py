"""Cumulative ablation by the importance ranks that different images give (paper B §3.5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import xarray as xr
from jaxtyping import Int64

import jaxunits as ju

from ..progress import image_bar
from .births import births_of
from .cumulative import CUMULATIVE, accuracy_and_loss, cumulative_content, shown_held_out_class
from .kind import Kind
from .subject import Found, Subject
from .training import square_layers, topology_images

_OPTIONS = ("topology.shown_class", "stability.sizes", "stability.subsets")


def _content(subject: Subject, layer: str) -> dict[str, str]:
    return {**cumulative_content(subject, layer), "class": shown_held_out_class(subject)}


def _measure(
    subject: Subject, layers: Sequence[str], found: Found
) -> Iterator[tuple[str, xr.Dataset]]:
    name = shown_held_out_class(subject)
    training = ju.data.of_class(topology_images(subject), name)
    held_out = ju.data.of_class(subject.data, name)
    stability, seed = subject.config.stability, subject.config.topology.seed
    size = stability.sizes_within(len(training))[0]
    subsets = ju.topology.random_subsets(
        len(training), size, num_subsets=stability.subsets, seed=seed
    )
    samples = {
        "subset": ju.data.subset(training, subsets[0]),
        "training": training,
        "held out": held_out,
    }
    for layer in layers:
        births = births_of(found["births"][layer], name).values
        orders = _orders(subject, births, subsets, _births(subject, layer, held_out))
        each = []
        with image_bar(subject.console, f"importance ranks of {layer}", of="samples") as progress:
            for number, data in enumerate(samples.values()):
                each.append(_curves(subject, layer, data, name, orders))
                progress(number + 1, len(samples))
        images = ("sample", [len(data) for data in samples.values()])
        yield (
            layer,
            xr.concat(each, "sample", data_vars="all").assign_coords(
                sample=list(samples), images=images
            ),
        )


def _births(
    subject: Subject, layer: str, data: ju.data.Dataset
) -> Int64[np.ndarray, "images units"]:
    topology = subject.config.topology
    found = ju.topology.layer_birth_points(
        subject.network,
        layer,
        data,
        limit=topology.limit,
        convention=topology.convention,
        progress=False,
    )
    return found.birth_point.values


def _orders(
    subject: Subject,
    births: Int64[np.ndarray, "images units"],
    subsets: Int64[np.ndarray, "subsets size"],
    held_out: Int64[np.ndarray, "held_out_images units"],
) -> dict[str, Int64[np.ndarray, " units"]]:
    """The importance ranks of a subset, of all, of held-out images, and of the subsets' mean."""
    effectiveness = subject.config.topology.effectiveness
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
    data: ju.data.Dataset,
    name: str,
    orders: Mapping[str, Int64[np.ndarray, " units"]],
) -> xr.Dataset:
    """Accuracy and loss of the class on some images, the most important unit first."""
    measured = ju.ablation.cumulative(
        subject.network,
        layer,
        data,
        np.stack(list(orders.values())),
        values=subject.config.values,
        progress=False,
        **subject.options(),
    ).sel({"class": name}, drop=True)
    curves = accuracy_and_loss(measured)
    return xr.Dataset(
        {kind: (("ranking", "step"), values.values) for kind, values in curves.items()},
        coords={"ranking": list(orders), "step": np.arange(curves["accuracy"].shape[1])},
    )


samples = Kind("samples", lambda _: (*CUMULATIVE, *_OPTIONS), square_layers, _content, _measure)
