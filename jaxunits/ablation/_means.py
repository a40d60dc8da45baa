"""What a unit answers on average: a value to ablate to."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Float64, PyTree

from .._errors import InputError
from ..data import Dataset, batches
from ..networks import functional


def unit_means(
    network: Any, layer: str, data: Dataset, *, batch_size: int = 128
) -> Float64[np.ndarray, " units"]:
    """Mean of each unit's activations over all images and positions (Morcos et al. 2018).

    Args:
      network: any network of `jaxunits.networks`.
      layer: one of its layers.
      data: the reference images.
      batch_size: images a batch.

    Raises:
      InputError: there is no such layer, or the network does not show its activations.
    """
    network = functional(network)
    units = network.layer(layer).units
    if network.activations is None:
        raise InputError(
            f"network {network.name!r} does not show its activations, so their means cannot be "
            "taken: give the values as an array of one number a unit"
        )
    activations = network.activations

    @jax.jit
    def positions_mean(params: PyTree, images: Array) -> Float[Array, "images units"]:
        with jax.default_matmul_precision("highest"):
            answers = activations(params, images, layer)
        return answers.reshape(len(images), -1, units).mean(1)

    total = np.zeros(units)
    for batch in batches(data, network.preprocessing, batch_size):
        means = np.asarray(positions_mean(network.params, batch.images), np.float64)
        total += means[batch.valid].sum(0)
    return total / len(data)
