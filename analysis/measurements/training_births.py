"""Birth points of a class at every checkpoint that the run folder kept.

Zhao and Zhang 2021 §3.2.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

import jaxunits as ju

from ..measurement import Measurement, Results, each_layer
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


def _measure(subject: Subject, layer: str, _: Results) -> xr.Dataset:
    topology, run = subject.config.of(Topology), subject.config.run
    data = ju.data.of_class(topology_images(subject), shown_class(subject))
    epochs, each = _epochs(subject), []
    title = f"birth points of {layer} in training"
    for epoch in each_with_bar(subject.console, title, epochs, of="checkpoints"):
        network = ju.networks.restore(run, epoch=epoch)
        each.append(topology.birth_points(network, layer, data).birth_point)
    result = xr.Dataset({"birth_point": xr.concat(each, "epoch")}, coords={"epoch": epochs})
    # The last checkpoint has the metrics of every epoch.
    metrics = {int(row["epoch"]): row for row in ju.networks.saved_metrics(run)}
    return result.assign(
        {name: ("epoch", np.array([metrics[epoch][name] for epoch in epochs])) for name in _LOSSES}
    )


training_births = Measurement(
    "training",
    each_layer(_measure),
    _content,
    options=(*BIRTHS, (Topology, "shown_class")),
    layers=square_layers,
    training="checkpoints",
    calls=lambda subject: len(_epochs(subject)),
)
