"""One unit's map of one image, from which its birth point is read.

Zhao and Zhang 2021, figure 2A.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

import jaxunits as ju

from ..measurement import Measurement, Results, each_layer
from ..subject import Subject
from .births import BIRTHS, births, births_content, births_of
from .cumulative import importance_order
from .panels import small_pictures
from .topology import Topology, square_layers, topology_images
from .training_births import shown_class


def _content(subject: Subject, layer: str) -> dict[str, str]:
    return {**births_content(subject, layer), "class": shown_class(subject)}


def _measure(subject: Subject, layer: str, results: Results) -> xr.Dataset:
    name, births = shown_class(subject), results["births"][layer]
    unit = int(importance_order(subject, births, name)[0])
    image = _typical_image(births_of(births, name).isel(unit=unit))
    return _map(subject, layer, unit, image).assign_attrs({"unit": unit})


def _typical_image(births: xr.DataArray) -> int:
    """The first image with the most frequent birth point; the first of all if none has one."""
    having = births.values[births.values > 0]
    most = np.bincount(having).argmax() if len(having) else 0
    return int(births.image.values[births.values == most][0])


def _map(subject: Subject, layer: str, unit: int, image: int) -> xr.Dataset:
    import jax.numpy as jnp

    from jaxunits.execution import products

    network, data = subject.network, topology_images(subject)
    chosen = ju.data.subset(data, [image])
    batch = next(iter(ju.data.batches(chosen, network.preprocessing, 1)))
    with products():
        answered = network.activations(jnp.asarray(batch.images), layer)
    picture = small_pictures(data, network.preprocessing, np.array([image]))[0]
    return xr.Dataset(
        {
            "activation": (("row", "column"), np.asarray(answered, np.float32)[0, ..., unit]),
            "picture": (("y", "x", "channel"), picture),
        },
        attrs={"image": image},
    )


maps = Measurement(
    "maps",
    each_layer(_measure),
    _content,
    options=(*BIRTHS, (Topology, "p"), (Topology, "shown_class")),
    layers=square_layers,
    after=(births,),
    training="images",
)
