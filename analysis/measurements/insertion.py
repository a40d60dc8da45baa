"""Insertion of units in the order of their importance, on both splits.

Zhao and Zhang 2021 §3.6.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

import jaxunits as ju

from ..measurement import Measurement, Progress, Results, each_layer
from ..progress import image_bar
from ..subject import Subject
from .births import births
from .cumulative import (
    CUMULATIVE,
    accuracy_and_loss,
    cumulative_content,
    held_out_classes,
    importance_order,
)
from .topology import square_layers, topology_images


def _measure(subject: Subject, layer: str, results: Results) -> xr.Dataset:
    classes, births = held_out_classes(subject), results["births"][layer]
    orders = np.stack([importance_order(subject, births, name) for name in classes])
    sides = {"training": topology_images(subject), "test": subject.data}
    each = []
    for side, data in sides.items():
        with image_bar(subject.console, f"insertion into {layer}, {side} images") as progress:
            each.append(_curves(subject, layer, data, orders, classes, progress))
    return xr.concat(each, "side", data_vars="all").assign_coords(side=list(sides))


def _curves(
    subject: Subject,
    layer: str,
    data: ju.data.Dataset,
    orders: np.ndarray,
    classes: Sequence[str],
    progress: Progress,
) -> xr.Dataset:
    """Accuracy and loss of each class while units enter in its own order."""
    found = ju.ablation.insertion(
        subject.network,
        layer,
        data,
        orders,
        values=subject.config.values,
        progress=progress,
        **subject.options(),
    )
    own = [
        found[["class_accuracy", "loss_sum", "n_images"]].isel(order=order).sel({"class": name})
        for order, name in enumerate(classes)
    ]
    each = xr.concat(own, "class", data_vars="all", coords="different", compat="equals")
    return xr.Dataset(accuracy_and_loss(each)).drop_vars("order")


insertion = Measurement(
    "insertion",
    each_layer(_measure),
    cumulative_content,
    options=CUMULATIVE,
    layers=square_layers,
    after=(births,),
    training="images",
    calls=lambda _: 2,
)
