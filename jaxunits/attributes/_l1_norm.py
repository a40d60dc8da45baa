"""The L1 norm of a unit's incoming weights."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from .._errors import InputError
from ..networks import Classifier
from ..networks._checks import check_classifier


def l1_norm(network: Classifier, layer: str) -> Float64[np.ndarray, " units"]:
    r"""Σ |w| over the incoming weights of each unit, bias left out (Zhou et al. 2018, eq. 1).

    $$\sum_i |w_{u,i}|$$

    For the output of a residual block these are the weights of its last convolution. Batch norm's
    scale is not folded in.

    Args:
      network: the network.
      layer: one of its layers.

    Returns:
      `[units]`, in the units of the weights.

    Raises:
      InputError: there is no such layer, or its units have no weights of their own.
    """
    check_classifier(network)
    norms = known_l1_norm(network, network.layer(layer).name)
    if norms is None:
        raise InputError(
            f"layer {layer!r} of network {network.name!r} has no weights that lead into its units: "
            "name the layer of the convolution or dense map itself"
        )
    return norms


def known_l1_norm(network: Classifier, layer: str) -> Float64[np.ndarray, " units"] | None:
    """The L1 norms, or None where there are no weights."""
    weights = network.function.incoming_weights(network.params, network.example, layer)
    if weights is None:
        return None
    flat = np.asarray(weights, np.float64).reshape(-1, network.layers[layer].num_units)
    return np.abs(flat).sum(0)
