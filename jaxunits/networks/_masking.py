"""What a mask does to activations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from jaxtyping import Array, Float

from .._arguments import is_real_type
from .._errors import InputError
from ._layer import Layer, find_layer

Masks = Mapping[str, Float[Array, " units"]]


def ablate(
    activations: Float[Array, "images ..."],
    mask: Float[Array, " units"],
    value: Float[Array, ...] | None = None,
    *,
    axis: int = -1,
) -> Float[Array, "images ..."]:
    r"""Replace ablated units by a value: mask · a + (1 − mask) · value (Zhou et al. 2018, §2.1).

    $$a' = m\, a + (1 - m)\, v$$

    Args:
      activations: of some images.
      mask: 1 keeps a unit, 0 ablates it, values between mix.
      value: the value of an ablated unit: a number for every input, `[units]`, or activations of
        the same shape; zero by default.
      axis: the axis of units.

    Returns:
      Activations of the same shape.
    """
    shape = [1] * activations.ndim
    shape[axis] = activations.shape[axis]
    mask = mask.astype(activations.dtype).reshape(shape)
    kept = activations * mask
    if value is None:
        return kept
    value = value.astype(activations.dtype)
    return kept + (1 - mask) * (value.reshape(shape) if value.ndim == 1 else value)


def check_masks(masks: Masks, layers: Iterable[Layer], place: str) -> None:
    """Check names and shapes of masks, before and under tracing alike.

    Raises:
      InputError: a layer does not exist, or a mask does not have one entry per unit, or is complex.
    """
    if not isinstance(masks, Mapping):
        raise InputError(
            f"masks of type {type(masks).__name__}: give a dictionary from layers of {place} to "
            "one number per unit"
        )
    known = {name: layer for layer in layers for name in (layer.name, *layer.aliases)}
    for name, mask in masks.items():
        units = find_layer(known, name, place).num_units
        if np.shape(mask) != (units,):
            raise InputError(
                f"mask of shape {np.shape(mask)} for layer {name!r} of {place}: expected "
                f"({units},), one entry per unit"
            )
        kind = getattr(mask, "dtype", None)
        if kind is None or not is_real_type(kind):
            raise InputError(
                f"mask of type {kind or type(mask).__name__} for layer {name!r} "
                f"of {place}: give real numbers"
            )
