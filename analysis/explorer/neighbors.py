"""Which units of a layer are alike."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32, Int64

# Rows of correlations that are held at once.
_ROWS = 512


def neighbors(
    vectors: Float[np.ndarray, "units classes"], most: int = 8
) -> tuple[Int64[np.ndarray, "units most"], Float32[np.ndarray, "units most"]]:
    """The units whose vectors correlate most with each unit's.

    Args:
      vectors: a number by unit and class.
      most: how many neighbors, at most.

    Returns:
      They, the nearest first, and Pearson's r; NaN behind the last, where a vector is constant.
    """
    centered = vectors - vectors.mean(1, keepdims=True)
    length = np.linalg.norm(centered, axis=1, keepdims=True)
    # Equal numbers differ from their mean by rounding.
    known = length > 1e-12 * np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.divide(centered, length, out=np.zeros_like(centered), where=known)
    count = len(vectors)
    most = min(most, count - 1)
    places, found = np.empty((count, most), np.int64), np.empty((count, most), np.float32)
    for start in range(0, count, _ROWS):
        rows = np.arange(start, min(start + _ROWS, count))
        r = unit[rows] @ unit.T
        r[:, ~known[:, 0]] = -np.inf
        r[~known[rows, 0]] = -np.inf
        r[rows - start, rows] = -np.inf
        nearest = np.argpartition(-r, most - 1, axis=1)[:, :most] if most else places[rows]
        order = np.argsort(-np.take_along_axis(r, nearest, 1), axis=1, kind="stable")
        places[rows] = np.take_along_axis(nearest, order, 1)
        found[rows] = np.take_along_axis(r, places[rows], 1)
    return places, np.where(np.isinf(found), np.nan, found)
