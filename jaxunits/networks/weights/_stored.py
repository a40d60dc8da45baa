"""Arrays that lie in a file until they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from ..._errors import InputError

FLOATING = ("bfloat16", "float16", "float32", "float64")


@dataclass(frozen=True)
class StoredArray:
    """An array of a file: its shape is known and checked, its numbers are not read yet.

    Attributes:
      shape: its shape.
      dtype: NumPy's name of its numbers' type.
      read: gives the numbers.
    """

    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], Shaped[np.ndarray, ...]]


@dataclass(frozen=True)
class WeightsFile:
    """A weights file that is open.

    Attributes:
      path: where it lies.
      keras: whether names and layouts are Keras's; PyTorch's otherwise.
      arrays: its arrays by name.
    """

    path: Path
    keras: bool
    arrays: Mapping[str, StoredArray]


def damaged(path: Path, reason: object) -> InputError:
    """The error for a file that breaks off or contradicts itself."""
    return InputError(
        f"weights file {path} is damaged or cut off: {reason}. Fetch it or write it again"
    )
