"""Birth points of a layer's units on training images (Zhao and Zhang 2021 §3.2)."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ..measurement import Measurement, Option, Progress, Results, layer_by_layer
from ..subject import Subject
from .topology import Topology, square_layers, topology_images

BIRTHS: tuple[Option, ...] = tuple(
    (Topology, name) for name in ("classes", "images", "limit", "convention", "seed")
)


def births_content(subject: Subject, layer: str) -> dict[str, str]:
    """What birth points depend on beside `BIRTHS`."""
    data = topology_images(subject)
    return {
        **subject.layer_settings(layer),
        "data": data.name,
        "split": data.split,
        "data_fingerprint": data.fingerprint,
    }


def _births(subject: Subject, layer: str, _: Results, progress: Progress) -> xr.Dataset:
    topology = subject.config.of(Topology)
    return topology.birth_points(subject.network, layer, topology_images(subject), progress)


def _stand_in(subject: Subject, layer: str) -> xr.Dataset:
    images = topology_images(subject)
    units = subject.units(layer)
    names = np.asarray(images.class_names, object)[images.labels]
    births = np.ones((len(images), units), np.int64)
    return xr.Dataset(
        {"birth_point": (("image", "unit"), births)}, coords={"class": ("image", names)}
    ).assign_coords(image=np.arange(len(images)))


births = Measurement(
    "births",
    layer_by_layer(lambda _, layer: f"birth points of {layer}", _births),
    births_content,
    BIRTHS,
    square_layers,
    training="images",
    stand_in=_stand_in,
)


def births_of(result: xr.Dataset, name: str) -> xr.DataArray:
    """The birth points on the images of a class, by `image` and `unit`."""
    return result.birth_point.isel(image=(result["class"] == name).values)
