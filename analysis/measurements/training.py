"""The images that a network was trained on, as it saw their labels."""

from __future__ import annotations

import numpy as np

import jaxunits as ju

from .subject import Subject


def training_images(subject: Subject) -> ju.data.Dataset:
    """The training images of a run: of its sample, with its random labels.

    Raises:
      InputError: they cannot be loaded.
    """
    settings = subject.folder.read_configuration()["data"]
    data = ju.data.load(
        settings["source"],
        settings["train_split"],
        data_dir=settings["data_dir"],
        on_corrupt=settings["on_corrupt"],
    )
    if settings["fraction"] != 1:
        data = ju.data.sample(data, fraction=settings["fraction"], seed=settings["seed"])
    if settings["random_labels"]:
        data = ju.data.random_labels(data, settings["random_labels"], seed=settings["seed"])
    return data


def chosen_classes(subject: Subject, data: ju.data.Dataset) -> tuple[str, ...]:
    """The classes whose topology was asked for; by default all that have images here."""
    asked = subject.config.topology.classes
    for name in asked:
        data.class_index(name)
    present = set(data.labels.tolist())
    return asked or tuple(name for label, name in enumerate(data.class_names) if label in present)


def topology_images(subject: Subject) -> ju.data.Dataset:
    """The training images whose topology is looked at: of the chosen classes, so many of each.

    Raises:
      InputError: a class does not exist, or training images cannot be loaded.
    """
    topology = subject.config.topology
    data = training_images(subject)
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
    """
    asked = subject.config.topology.layers or subject.config.layers
    shapes = {layer.name: layer.map_shape for layer in subject.network.layers.values()}
    fitting = [
        name
        for name, shape in shapes.items()
        if shape and len(shape) == 2 and shape[0] == shape[1] and 6 <= shape[0] <= 14
    ]
    return asked or tuple(fitting[:1]) or subject.last_maps
