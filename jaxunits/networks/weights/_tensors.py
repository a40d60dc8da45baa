"""The arrays that a PyTorch checkpoint's pickle describes."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Shaped

from ..._errors import InputError
from ._entries import weights_entry
from ._pickle_names import IGNORED, WAY_OUT, Storage, Tensor
from ._stored import StoredArray, check_number_of_arrays, damaged, printable, shortened

_MOST_AXES = 8


def stored_tensors(
    content: Any,
    read: Callable[[Storage], Shaped[np.ndarray, ...]],
    path: Path,
    entry: str | None,
) -> dict[str, StoredArray]:
    """The arrays of a checkpoint's state dict.

    Args:
      content: what its pickle holds.
      read: gives all numbers of a storage.
      path: the file, for errors.
      entry: which part of the checkpoint holds the weights, see `weights_entry`.

    Raises:
      InputError: it has no state dict, several to choose from, or an array that reaches out of its
        storage.
    """
    return {
        name: _stored(name, tensor, read, path)
        for name, tensor in _state_dict(content, path, entry).items()
    }


def storage_dtype(name: str) -> np.dtype[Any]:
    """The little-endian NumPy type of a storage's numbers."""
    return np.dtype(jnp.bfloat16) if name == "bfloat16" else np.dtype(name).newbyteorder("<")


def _state_dict(content: Any, path: Path, entry: str | None) -> dict[str, Tensor]:
    if not isinstance(content, dict):
        kind = "another type" if content is IGNORED else f"type {type(content).__name__}"
        raise InputError(
            f"weights file {path} holds an object of {kind} and no state dict. {WAY_OUT}"
        )
    content = weights_entry(content, entry, _is_tensor, f"weights file {path}")
    tensors = {key: value for key, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        raise InputError(
            f"weights file {path} holds no state dict but a dictionary with "
            f"{printable(', '.join(content), 200) or 'nothing in it'}. {WAY_OUT}"
        )
    check_number_of_arrays(len(tensors), path)
    return tensors


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor)


def _stored(
    name: str, tensor: Tensor, read: Callable[[Storage], Shaped[np.ndarray, ...]], path: Path
) -> StoredArray:
    shape, strides = _window(name, tensor, path)
    storage = tensor.storage
    first = storage.start + tensor.offset

    def values() -> Shaped[np.ndarray, ...]:
        numbers = read(storage)[first:]
        steps = [stride * numbers.itemsize for stride in strides]
        return np.lib.stride_tricks.as_strided(numbers, shape, steps, writeable=False)

    return StoredArray(shape, storage.dtype, values)


def _window(name: str, tensor: Tensor, path: Path) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Shape and strides of an array whose every number lies in its storage, none of them twice."""
    storage, offset, shape, strides = tensor.storage, tensor.offset, tensor.shape, tensor.strides
    name = shortened(name)
    if not (
        isinstance(storage, Storage)
        and isinstance(shape, tuple)
        and isinstance(strides, tuple)
        and len(shape) == len(strides) <= _MOST_AXES
        and all(type(number) is int and number >= 0 for number in (offset, *shape, *strides))
    ):
        raise damaged(path, f"array {name!r} is described wrongly")
    # Along an axis of one number nothing is stepped over, whatever its stride.
    strides = tuple(step if side > 1 else 0 for side, step in zip(shape, strides, strict=True))
    size = math.prod(shape)
    last = offset + sum((side - 1) * step for side, step in zip(shape, strides, strict=True))
    inside = storage.start + storage.length <= storage.count
    described = f"array {name!r} of shape {list(shape)} and strides {list(tensor.strides)}"
    if size and not (inside and size <= storage.length and last < storage.length):
        raise damaged(path, f"{described} reaches out of its storage of {storage.length} numbers")
    if size and _overlaps(shape, strides):
        raise damaged(path, f"{described} has numbers in two places")
    return shape, strides


def _overlaps(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Whether a step along some axis falls among the numbers of the axes with smaller steps."""
    reach = 0
    for step, side in sorted(zip(strides, shape, strict=True)):
        if side > 1 and step <= reach:
            return True
        reach += (side - 1) * step
    return False
