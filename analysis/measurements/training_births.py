"""Birth points of a class at every checkpoint that the run folder kept.

Zhao and Zhang 2021 §3.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import xarray as xr

import jaxunits as ju

from ..measurement import Measurement, Results
from ..progress import each_with_bar
from ..subject import Subject
from .births import BIRTHS, births_content
from .topology import Topology, chosen_classes, square_layers, topology_images

_LOSSES = ("train_loss", "validation_loss")


def shown_class(subject: Subject) -> str:
    """The class that single-class figures show, of those with training images."""
    return subject.config.of(Topology).shown(chosen_classes(subject, topology_images(subject)))


def _content(subject: Subject, layer: str) -> dict[str, str]:
    return {
        **births_content(subject, layer),
        "class": shown_class(subject),
        "epochs": ", ".join(map(str, _epochs(subject))),
    }


def _epochs(subject: Subject) -> list[int]:
    """After how many epochs the checkpoints are."""
    folder = ju.results.RunFolder(subject.config.run).checkpoints
    names = [path.name for path in folder.iterdir()]
    return sorted(int(name) for name in names if name.isdecimal())


def _losses(subject: Subject) -> dict[int, dict[str, Any]]:
    """The metrics of every epoch, out of the last checkpoint."""
    return {int(row["epoch"]): row for row in ju.networks.saved_metrics(subject.config.run)}


def _measure(
    subject: Subject, layers: Sequence[str], _: Results
) -> Iterator[tuple[str, xr.Dataset]]:
    topology = subject.config.of(Topology)
    data = ju.data.of_class(topology_images(subject), shown_class(subject))
    epochs, losses = _epochs(subject), _losses(subject)
    for layer in layers:
        title = f"birth points of {layer} in training"
        each = []
        for epoch in each_with_bar(subject.console, title, epochs, of="checkpoints"):
            network = ju.networks.restore(subject.config.run, epoch=epoch)
            each.append(topology.birth_points(network, layer, data).birth_point)
        result = xr.Dataset({"birth_point": xr.concat(each, "epoch")}, coords={"epoch": epochs})
        columns = {
            name: ("epoch", np.array([losses[epoch][name] for epoch in epochs])) for name in _LOSSES
        }
        yield layer, result.assign(columns)


training_births = Measurement(
    "training",
    _measure,
    _content,
    options=(*BIRTHS, (Topology, "shown_class")),
    layers=square_layers,
    training="checkpoints",
    calls=lambda subject: len(_epochs(subject)),
)
