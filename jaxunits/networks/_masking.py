"""What a mask does to activations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from jaxtyping import Array, Float

from .._errors import InputError, unknown_name
from ._layer import Layer

Masks = Mapping[str, Float[Array, " units"]]


def ablate(
    activations: Float[Array, "images *map units"],
    mask: Float[Array, " units"],
    value: Float[Array, " units"] | None = None,
) -> Float[Array, "images *map units"]:
    """Replace ablated units by a fixed value: mask · a + (1 − mask) · value (paper A §2.1).

    Args:
      activations: units on the last axis.
      mask: 1 keeps a unit, 0 ablates it, anything between mixes.
      value: what an ablated unit gives for every input; zero by default.
    """
    mask = mask.astype(activations.dtype).reshape((1,) * (activations.ndim - 1) + mask.shape)
    kept = activations * mask
    if value is None:
        return kept
    return kept + (1 - mask) * value.astype(activations.dtype).reshape(mask.shape)


def check_masks(masks: Masks, layers: Iterable[Layer], place: str) -> None:
    """Check names and shapes of masks, before and under tracing alike.

    Raises:
      InputError: a layer does not exist, or a mask has not one entry a unit.
    """
    units = {layer.name: layer.units for layer in layers}
    for name, mask in masks.items():
        if name not in units:
            raise unknown_name("layer", name, units, place)
        if np.shape(mask) != (units[name],):
            raise InputError(
                f"mask of shape {np.shape(mask)} for layer {name!r} of {place}: expected "
                f"({units[name]},), one entry a unit"
            )
