"""What a sweep refuses of its masks and values."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Shaped
from numpy.typing import ArrayLike

from .._arguments import real_array
from .._errors import InputError
from ..networks import Layer


def checked_masks(masks: ArrayLike, layer: Layer) -> Float32[np.ndarray, "masks units"]:
    """Masks as float32 `[masks, units]`.

    Raises:
      InputError: the shape is another one, or an entry is not a finite number.
    """
    array = real_array(masks, "masks", f" for layer {layer.name!r}")
    if array.ndim != 2 or array.shape[1] != layer.units or len(array) == 0:
        raise InputError(
            f"masks of shape {array.shape} for layer {layer.name!r}: expected "
            f"(masks, {layer.units}), one entry per unit"
        )
    return _checked_numbers(array, "masks", layer)


def checked_values(values: ArrayLike, layer: Layer) -> Float32[np.ndarray, " units"]:
    """Values of ablated units as float32 `[units]`.

    Raises:
      InputError: the shape is another one, or a value is not a finite number.
    """
    array = real_array(values, "values", f" for layer {layer.name!r}")
    if array.shape != (layer.units,):
        raise InputError(
            f"values of shape {array.shape} for layer {layer.name!r}: give 'zero', 'mean', "
            f"'resample' or ({layer.units},), one number per unit"
        )
    return _checked_numbers(array, "values", layer)


def _checked_numbers(
    array: Shaped[np.ndarray, ...], kind: str, layer: Layer
) -> Float32[np.ndarray, ...]:
    with np.errstate(over="ignore"):
        numbers = array.astype(np.float32)
    wrong = np.argwhere(~np.isfinite(numbers))
    if len(wrong):
        place = ", ".join(map(str, wrong[0]))
        raise InputError(
            f"{kind} for layer {layer.name!r} hold {array[tuple(wrong[0])]} at [{place}]: give "
            "finite numbers (1 keeps a unit, 0 ablates it)"
        )
    return numbers
