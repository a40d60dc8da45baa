"""Maps resized, each axis by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from ._indexing import take


def along_axis(x: Float[Array, ...], matrix: Float[np.ndarray, "rows columns"], axis: int) -> Array:
    """A matrix times the numbers along one axis."""
    product = lax.dot_general(x, jnp.asarray(matrix, x.dtype), (((axis,), (1,)), ((), ())))
    order = list(range(x.ndim - 1))
    order.insert(axis, x.ndim - 1)
    return product if axis == x.ndim - 1 else lax.transpose(product, order)


def interpolation(
    weights: Callable[[int, int, float | None, bool], Float[np.ndarray, "rows columns"]],
) -> Callable[..., Array]:
    """A rule that resizes both axes of a map, from how much each pixel adds to each new one.

    Args:
      weights: from the length of an axis, its new length, the scale if it was asked for by that,
        and whether the outermost pixels keep their centers.
    """

    def resized(
        x: Float[Array, "images channels height width"],
        sizes: Sequence[int] | None,
        align_corners: bool,
        *scales: Any,
    ) -> Float[Array, "images channels rows columns"]:
        for axis, (size, scale) in enumerate(_targets(x, sizes, scales), start=2):
            x = along_axis(x, weights(x.shape[axis], size, scale, align_corners), axis)
        return x

    return resized


def nearest(
    x: Float[Array, "images channels height width"], sizes: Sequence[int] | None, *scales: Any
) -> Float[Array, "images channels rows columns"]:
    """The pixel at each place rounded down."""
    for axis, (size, scale) in enumerate(_targets(x, sizes, scales), start=2):
        length = x.shape[axis]
        if size % length == 0:
            x = _repeated(x, size // length, axis)
            continue
        step = np.float32(1 / scale if scale else length / size)
        places = np.floor(np.arange(size, dtype=np.float32) * step).astype(np.int32)
        x = take(x, np.minimum(places, length - 1), axis)
    return x


def _repeated(x: Array, times: int, axis: int) -> Array:
    """Every slice several times."""
    shape = list(x.shape)
    wide = lax.broadcast_in_dim(
        x,
        [*shape[: axis + 1], times, *shape[axis + 1 :]],
        [each if each <= axis else each + 1 for each in range(x.ndim)],
    )
    shape[axis] *= times
    return wide.reshape(shape)


def _targets(
    x: Array, sizes: Sequence[int] | None, scales: Sequence[Any]
) -> list[tuple[int, float | None]]:
    """For both axes of the map the new size, and the scale if it was asked for by that."""
    given = scales[0] if len(scales) == 1 and not isinstance(scales[0], float) else scales
    factors: list[Any] = [*given] if given else [None, None]
    if sizes is None:
        sizes = [int(length * factor) for length, factor in zip(x.shape[2:], factors, strict=True)]
    return list(zip(sizes, factors, strict=True))


def _step(length: int, size: int, scale: float | None, align_corners: bool) -> np.float32:
    """How far apart new pixels are, in old ones."""
    if align_corners:
        return np.float32((length - 1) / (size - 1) if size > 1 else 0)
    return np.float32(1 / scale if scale else length / size)


def _places(
    length: int, size: int, scale: float | None, align_corners: bool
) -> Float[np.ndarray, " rows"]:
    """Where new pixels lie among the old ones, in PyTorch's float32."""
    new, step = np.arange(size, dtype=np.float32), _step(length, size, scale, align_corners)
    return new * step if align_corners else (new + np.float32(0.5)) * step - np.float32(0.5)


def _bilinear(
    length: int, size: int, scale: float | None, align_corners: bool
) -> Float[np.ndarray, "rows columns"]:
    """By the distances of two pixels."""
    places = np.maximum(_places(length, size, scale, align_corners), 0)
    low = np.minimum(places.astype(np.int32), length - 1)
    share = np.clip(places - low, 0, 1)
    return _added(length, [(low, 1 - share), (low + 1, share)])


def _bicubic(
    length: int, size: int, scale: float | None, align_corners: bool
) -> Float[np.ndarray, "rows columns"]:
    """By the distances of four pixels (Keys 1981)."""
    places = _places(length, size, scale, align_corners)
    low = np.floor(places).astype(np.int32)
    return _added(
        length, [(low + each, _cubic(places - low - each, -0.75)) for each in (-1, 0, 1, 2)]
    )


def _added(
    length: int, parts: Sequence[tuple[np.ndarray, np.ndarray]]
) -> Float[np.ndarray, "rows columns"]:
    """What pixels add to new ones; those beyond an edge are the last ones before it."""
    size = len(parts[0][0])
    weights = np.zeros((size, length), np.float32)
    for pixel, share in parts:
        np.add.at(weights, (np.arange(size), np.clip(pixel, 0, length - 1)), share)
    return weights


def _smoothed(
    kernel: Callable[[np.ndarray], np.ndarray], reach: float
) -> Callable[[int, int, float | None, bool], Float[np.ndarray, "rows columns"]]:
    """Weights by a kernel that is as much wider as the map becomes smaller, as Pillow's are.

    Args:
      kernel: from distances in pixels to weights.
      reach: beyond which they are 0.
    """

    def weights(
        length: int, size: int, scale: float | None, align_corners: bool
    ) -> Float[np.ndarray, "rows columns"]:
        step = float(_step(length, size, scale, align_corners))
        wider = max(step, 1.0)
        center = step * (np.arange(size)[:, None] + 0.5)
        pixel = np.arange(length)
        first = np.maximum(np.trunc(center - reach * wider + 0.5), 0)
        last = np.minimum(np.trunc(center + reach * wider + 0.5), length)
        found = kernel((pixel - center + 0.5) / wider) * ((pixel >= first) & (pixel < last))
        return (found / found.sum(1, keepdims=True)).astype(np.float32)

    return weights


def _cubic(distance: np.ndarray, a: float) -> np.ndarray:
    """Keys's kernel, whose slope at one pixel is `a`."""
    x = np.abs(distance)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


def _triangle(distance: np.ndarray) -> np.ndarray:
    return np.maximum(1 - np.abs(distance), 0)


RULES: dict[str, Callable[..., Any]] = {
    "upsample_bilinear2d": interpolation(_bilinear),
    "upsample_bicubic2d": interpolation(_bicubic),
    "_upsample_bilinear2d_aa": interpolation(_smoothed(_triangle, 1.0)),
    "_upsample_bicubic2d_aa": interpolation(_smoothed(lambda x: _cubic(x, -0.5), 2.0)),
    "upsample_nearest2d": nearest,
}
