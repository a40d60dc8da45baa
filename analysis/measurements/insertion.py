"""Insertion of units in the order of their importance, on both splits.

Zhao and Zhang 2021 §3.6.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Int64

import jaxunits as ju

from ..measurement import Measurement, Results, each_layer
from ..progress import each_with_bar
from ..subject import Subject
from .births import births
from .cumulative import (
    CUMULATIVE,
    class_curves,
    cumulative_content,
    held_out_classes,
    importance_order,
    shown_held_out_class,
)
from .topology import square_layers, topology_images


def _measure(subject: Subject, layer: str, results: Results) -> xr.Dataset:
    classes, births = held_out_classes(subject), results["births"][layer]
    sides = {"training": topology_images(subject), "test": subject.data}
    each = []
    for side, data in sides.items():
        title = f"insertion into {layer}, {side} images"
        curves = [
            _curves(subject, layer, name, importance_order(subject, births, name), data)
            for name in each_with_bar(subject.console, title, classes, of="classes")
        ]
        each.append(xr.concat(curves, "class", data_vars="all"))
    return xr.concat(each, "side", data_vars="all").assign_coords(side=list(sides))


def _curves(
    subject: Subject,
    layer: str,
    name: str,
    order: Int64[np.ndarray, " units"],
    data: ju.data.Dataset,
) -> xr.Dataset:
    """Accuracy and loss, `[step]`, of a class on its own images while units enter."""
    images = ju.data.of_class(data, name)
    curves = class_curves(subject, ju.ablation.insertion, layer, order, name, images)
    return xr.Dataset(curves).assign_coords({"class": name})


def _planned(subject: Subject, layer: str) -> object:
    """The curve of a class on the images to measure on."""
    order, name = np.arange(subject.units(layer)), shown_held_out_class(subject)
    return _curves(subject, layer, name, order, subject.data)


def _calls(subject: Subject) -> float:
    """Of one class, as many as there are images of all, in training too."""
    own = ju.data.of_class(subject.data, shown_held_out_class(subject))
    return (len(topology_images(subject)) + len(subject.data)) / len(own)


insertion = Measurement(
    "insertion",
    each_layer(_measure),
    cumulative_content,
    options=CUMULATIVE,
    layers=square_layers,
    after=(births,),
    training="images",
    calls=_calls,
    planned=_planned,
)
