"""Bilinear interpolation of maps to a grid of points on the image."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32

from ..networks import Centers


class Upsampling(NamedTuple):
    """Weights of the stored rows and columns of a map at the rows and columns of a grid.

    Attributes:
      down: `[grid rows, map rows]`.
      across: `[grid columns, map columns]`.
    """

    down: Float32[np.ndarray, "rows height"]
    across: Float32[np.ndarray, "columns width"]


def points_by_corners(stored: int, wanted: int) -> Float[np.ndarray, " wanted"]:
    """Where the points of a grid lie on a map that covers the same area, in its pixels.

    Pixels are areas: the center of the i-th of `wanted` lies at (i + 1/2) · stored / wanted - 1/2,
    where the stored centers are 0, 1, …. The alignment of `jax.image.resize`, PyTorch's
    `align_corners=False` and OpenCV.
    """
    return (np.arange(wanted) + 0.5) * stored / wanted - 0.5


def points_by_receptive_fields(
    centers: Centers, seen: int, wanted: int
) -> Float[np.ndarray, " wanted"]:
    """Where the points of a grid lie on a map whose positions stand at their fields' centers.

    The first and the last point lie on the centers of the image's first and last pixel, the others
    evenly between, as in the code of Bau et al. 2020; a single one lies in the middle.

    Args:
      centers: of the positions' receptive fields.
      seen: pixels of the image.
      wanted: points.
    """
    pixels = np.linspace(0, seen - 1, wanted) if wanted > 1 else np.asarray([(seen - 1) / 2])
    return (pixels - centers.offset) / centers.scale


def interpolation_matrix(
    points: Float[np.ndarray, " wanted"], stored: int, *, outside: str = "edge"
) -> Float32[np.ndarray, "wanted stored"]:
    """Weights that interpolate a line of `stored` values linearly at some points.

    Where a map is larger than the grid it is sampled at the points without a wider filter.

    Args:
      points: in pixels of the map, whose centers are 0, 1, ….
      stored: values of the line; a single one is the same everywhere.
      outside: beyond the first and the last center the values continue with `"edge"`, and fall to 0
        within one step with `"zero"` (PyTorch's `padding_mode="zeros"`).
    """
    if stored == 1:
        return np.ones((len(points), 1), np.float32)
    if outside == "edge":
        points = np.clip(points, 0, stored - 1)
    # The hat function of every stored center.
    return np.maximum(1 - np.abs(points[:, None] - np.arange(stored)), 0).astype(np.float32)
