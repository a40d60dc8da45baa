"""What a sweep refuses, before anything expensive."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float32, Shaped
from numpy.typing import ArrayLike

from .._errors import InputError
from ..data import Dataset, check_channels
from ..networks import Functional, Layer


def check_data(network: Functional, data: Dataset) -> None:
    """Refuse data that the network cannot classify.

    Raises:
      InputError: channels or number of classes differ.
    """
    check_channels(data, network.preprocessing)
    if network.classes != len(data.class_names):
        raise InputError(
            f"network {network.name!r} gives {network.classes} logits and data {data.name!r} has "
            f"{len(data.class_names)} classes: use the data that the network was trained on"
        )


def check_parameters(network: Functional) -> None:
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


def checked_masks(masks: ArrayLike, layer: Layer) -> Float32[np.ndarray, "masks units"]:
    """Masks as float32 `[masks, units]`.

    Raises:
      InputError: the shape is another one, or an entry is not a finite number.
    """
    array = np.asarray(masks)
    if array.ndim != 2 or array.shape[1] != layer.units or len(array) == 0:
        raise InputError(
            f"masks of shape {array.shape} for layer {layer.name!r}: expected "
            f"(masks, {layer.units}), one entry a unit"
        )
    return _checked_numbers(array, "masks", layer)


def checked_values(values: ArrayLike, layer: Layer) -> Float32[np.ndarray, " units"]:
    """Values of ablated units as float32 `[units]`.

    Raises:
      InputError: the shape is another one, or a value is not a finite number.
    """
    array = np.asarray(values)
    if array.shape != (layer.units,):
        raise InputError(
            f"values of shape {array.shape} for layer {layer.name!r}: give 'zero', 'mean' or "
            f"({layer.units},), one number a unit"
        )
    return _checked_numbers(array, "values", layer)


def _checked_numbers(
    array: Shaped[np.ndarray, ...], kind: str, layer: Layer
) -> Float32[np.ndarray, ...]:
    if not (np.issubdtype(array.dtype, np.number) or array.dtype == bool):
        raise InputError(f"{kind} of type {array.dtype} for layer {layer.name!r}: give numbers")
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        place = ", ".join(map(str, wrong[0]))
        raise InputError(
            f"{kind} for layer {layer.name!r} hold {array[tuple(wrong[0])]} at [{place}]: give "
            "finite numbers (1 keeps a unit, 0 ablates it)"
        )
    return array.astype(np.float32)
