"""What a unit answers on average: a value to ablate to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Float64, PyTree

from .._programs import kept
from ..data import Dataset, batches
from ..networks import Classifier, MaskedFunction, check_classifier, check_readable


def unit_means(
    network: Classifier, layer: str, data: Dataset, *, batch_size: int = 128
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
    check_classifier(network)
    units = network.layer(layer).units
    check_readable(network, layer)
    positions_mean = _positions_mean(network.function, network.layer(layer).name)
    total = np.zeros(units)
    for batch in batches(data, network.preprocessing, batch_size):
        means = np.asarray(positions_mean(network.params, batch.images), np.float64)
        total += means[batch.valid].sum(0)
    return total / len(data)


@kept
def _positions_mean(function: MaskedFunction, layer: str) -> Callable[[PyTree, Any], Array]:
    @jax.jit
    def mean(params: PyTree, images: Array) -> Float[Array, "images units"]:
        with jax.default_matmul_precision("highest"):
            activations = function.activations(params, images, layer)
        return activations.reshape(len(images), -1, activations.shape[-1]).mean(1)

    return mean
