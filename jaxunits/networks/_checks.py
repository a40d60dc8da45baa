"""Checks of a network and its images for every measurement, before anything expensive."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from .._errors import InputError
from .._kinds import checks_kinds
from ..data import Dataset, check_channels
from ._classifier import Classifier
from ._layer import Layer


def check_classifier(network: Any) -> None:
    """Refuse what is not a `Classifier`.

    Raises:
      InputError: the message names the functions that make one.
    """
    if not isinstance(network, Classifier):
        raise InputError(
            f"network of type {type(network).__name__}: make it one with ju.networks.from_nnx (a "
            "Flax NNX module), from_linen (a Linen module and its variables), from_torch (a "
            "PyTorch module) or from_callable (a function)"
        )


def check_readable(network: Classifier, layer: str) -> None:
    """Refuse a layer whose activations are not known.

    Raises:
      InputError: there is no such layer, or its activations are not known.
    """
    check_classifier(network)
    network.function.traced(network.params, network.example).value(network.layer(layer).name)


def check_data(network: Classifier, data: Dataset) -> None:
    """Refuse data that the network cannot classify.

    Raises:
      InputError: channels or number of classes differ.
    """
    check_classifier(network)
    check_channels(data, network.preprocessing)
    if network.classes != len(data.class_names):
        raise InputError(
            f"network {network.name!r} gives {network.classes} logits and data {data.name!r} has "
            f"{len(data.class_names)} classes: use the data that the network was trained on"
        )


def check_readable_on(network: Classifier, layer: str, data: Dataset) -> Layer:
    """The layer, if its activations on these images are available.

    Raises:
      InputError: there is no such layer, its activations are not known, there are no images or they
        have other channels, or a parameter is not a number.
    """
    check_readable(network, layer)
    check_channels(data, network.preprocessing)
    check_images(data)
    check_parameters(network)
    return network.layer(layer)


def check_images(data: Dataset) -> None:
    """Refuse a data set without images.

    Raises:
      InputError: there are no images.
    """
    if len(data) == 0:
        raise InputError(f"data {data.name!r} holds no images: give at least one")


@checks_kinds
def check_parameters(network: Classifier) -> None:
    """Refuse parameters that are not numbers.

    Raises:
      InputError: one holds NaN or infinity; the first is named.
    """
    for path, leaf in jax.tree_util.tree_leaves_with_path(network.params):
        array = jnp.asarray(leaf)
        if jnp.issubdtype(array.dtype, jnp.inexact) and not bool(jnp.isfinite(array).all()):
            name = jax.tree_util.keystr(path, simple=True, separator=".").removesuffix(".value")
            wrong = int((~jnp.isfinite(array)).sum())
            raise InputError(
                f"parameter {name} of network {network.name!r} holds NaN or infinity in {wrong} of "
                f"{array.size} places: restore an earlier checkpoint, or train again with a lower "
                "learning rate"
            )
