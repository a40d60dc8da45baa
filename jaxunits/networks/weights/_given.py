"""Weights given as a dictionary of arrays instead of a file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Shaped

from ..._errors import InputError
from ._entries import weights_entry
from ._stored import StoredArray, printable


def given_arrays(content: Mapping[str, Any], entry: str | None) -> dict[str, StoredArray]:
    """The arrays of a state dict: NumPy or JAX arrays, or PyTorch tensors on any device.

    Args:
      content: the state dict, or a checkpoint that holds one.
      entry: which part of the checkpoint, see `weights_entry`.

    Raises:
      InputError: there are no arrays, or there are several state dicts to choose from.
    """
    found = weights_entry(content, entry, _is_array, "the state dict")
    arrays = {str(name): _stored(value) for name, value in found.items() if _is_array(value)}
    if not arrays:
        raise InputError(
            "the state dict holds no arrays but "
            f"{printable(', '.join(map(str, found)), 200) or 'nothing'}: give "
            "model.state_dict(), or a dictionary of arrays by their names"
        )
    return arrays


def _is_array(value: Any) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype")


def _stored(value: Any) -> StoredArray:
    dtype = str(value.dtype).removeprefix("torch.")
    return StoredArray(tuple(value.shape), dtype, partial(_numbers, value, dtype))


def _numbers(value: Any, dtype: str) -> Shaped[np.ndarray, ...]:
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        # NumPy has no such type, which PyTorch asks it for.
        value = (value.float() if dtype == "bfloat16" else value).numpy()
    return np.asarray(value)
