"""Arrays in JSON, as numbers in base64 and not as text."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

import numpy as np

Packed = dict[str, Any]


def packed(values: Any, dtype: str) -> Packed:
    """An array as the page's scripts read it.

    Args:
      values: numbers.
      dtype: how they are kept: `f4`, `u1`, `u2` or `u4`, little-endian.

    Returns:
      `type`, `shape`, and the numbers in C order as `base64`.
    """
    array = np.ascontiguousarray(values, dtype=f"<{dtype}")
    content = base64.b64encode(array.tobytes()).decode()
    return {"type": dtype, "shape": list(array.shape), "base64": content}


def unsigned(values: Any) -> Packed:
    """Whole non-negative numbers, as small as they can be kept."""
    array = np.asarray(values)
    most = int(array.max(initial=0))
    return packed(array, "u1" if most < 2**8 else "u2" if most < 2**16 else "u4")


def texts(values: Iterable[Any]) -> Packed:
    """Texts: each different one once, and the number of each."""
    listed = [str(value) for value in values]
    different = {text: number for number, text in enumerate(dict.fromkeys(listed))}
    return {"texts": list(different), "index": unsigned([different[text] for text in listed])}
