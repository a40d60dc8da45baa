"""Arrays that lie in a file until they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from ..._errors import InputError

_MOST_ARRAYS = 20_000
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
    """A weights file that is open, or arrays given in its place.

    Attributes:
      place: what it is, for messages.
      keras: whether names and layouts are Keras's; PyTorch's otherwise.
      arrays: its arrays by name.
    """

    place: str
    keras: bool
    arrays: Mapping[str, StoredArray]


def damaged(path: Path, reason: object) -> InputError:
    """The error for a file that is truncated or inconsistent."""
    return InputError(
        f"weights file {path} is damaged or truncated: {printable(str(reason), 400)}. Download it "
        "or write it again"
    )


def check_number_of_arrays(count: int, path: Path) -> None:
    """Refuse files with far more arrays than networks have, whose names alone take seconds.

    Raises:
      InputError: there are more.
    """
    if count > _MOST_ARRAYS:
        raise InputError(
            f"weights file {path} has {count:,} arrays, and at most {_MOST_ARRAYS:,} are read: "
            "save the weights of one network alone"
        )


def shortened(text: str, most: int = 100) -> str:
    """The beginning of a text that came from a file."""
    return text if len(text) <= most else text[:most] + "…"


def printable(text: str, most: int = 100) -> str:
    """The beginning of a text that came from a file, without line ends or terminals' codes."""
    text = shortened(text, most)
    return text if text.isprintable() else repr(text)[1:-1]
