"""The arrays that a PyTorch checkpoint's pickle describes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Shaped

from ..._errors import InputError
from ._pickle import WAY_OUT, Storage, Tensor
from ._stored import StoredArray, damaged

# Under these names training programs keep the weights beside their other state.
_WRAPPERS = ("state_dict", "model_state_dict", "model")
_MOST_AXES = 8
_MOST_WRAPPERS = 3


def stored_tensors(
    content: Any, read: Callable[[Storage], Shaped[np.ndarray, ...]], path: Path
) -> dict[str, StoredArray]:
    """The arrays of a checkpoint's state dict.

    Args:
      content: what its pickle holds.
      read: gives all numbers of a storage.
      path: the file, for errors.

    Raises:
      InputError: it has no state dict, or an array that reaches out of its storage.
    """
    return {
        name: _stored(name, tensor, read, path)
        for name, tensor in _state_dict(content, path).items()
    }


def storage_dtype(name: str) -> np.dtype[Any]:
    """The little-endian NumPy type of a storage's numbers."""
    return np.dtype(jnp.bfloat16) if name == "bfloat16" else np.dtype(name).newbyteorder("<")


def _state_dict(content: Any, path: Path) -> dict[str, Tensor]:
    # A pickled dictionary can contain itself.
    for _ in range(_MOST_WRAPPERS):
        if not isinstance(content, Mapping):
            break
        inner = [content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping)]
        content = inner[0] if inner else content
    if not isinstance(content, Mapping):
        raise InputError(
            f"weights file {path} holds an object of type {type(content).__name__} and no state "
            f"dict. {WAY_OUT}"
        )
    tensors = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        raise InputError(
            f"weights file {path} holds no state dict but a dictionary with "
            f"{_short(', '.join(map(str, content))) or 'nothing in it'}. {WAY_OUT}"
        )
    return tensors


def _short(text: str) -> str:
    return text if len(text) < 200 else text[:200] + "…"


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
    if not (
        isinstance(storage, Storage)
        and isinstance(shape, tuple)
        and isinstance(strides, tuple)
        and len(shape) == len(strides) <= _MOST_AXES
        and all(type(number) is int and number >= 0 for number in (offset, *shape, *strides))
    ):
        raise damaged(path, f"array {name!r} is described wrongly")
    size = math.prod(shape)
    last = offset + sum((side - 1) * step for side, step in zip(shape, strides, strict=True))
    inside = storage.start + storage.length <= storage.count
    if size and not (inside and size <= storage.length and last < storage.length):
        raise damaged(
            path,
            f"array {name!r} of shape {list(shape)} and strides {list(strides)} reaches out of its "
            f"storage of {storage.length} numbers",
        )
    return shape, strides
