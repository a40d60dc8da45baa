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


def bilinear(
    x: Float[Array, "images channels height width"],
    sizes: Sequence[int] | None,
    align_corners: bool,
    *scales: Any,
) -> Float[Array, "images channels rows columns"]:
    """Between pixels by their distances."""
    for axis, (size, scale) in enumerate(_targets(x, sizes, scales), start=2):
        matrix = _weights(x.shape[axis], size, scale, align_corners)
        x = along_axis(x, matrix, axis)
    return x


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


def _weights(
    length: int, size: int, scale: float | None, align_corners: bool
) -> Float[np.ndarray, "rows columns"]:
    """How much each pixel adds to each new one, in PyTorch's float32."""
    new = np.arange(size, dtype=np.float32)
    if align_corners:
        places = new * np.float32((length - 1) / (size - 1) if size > 1 else 0)
    else:
        step = np.float32(1 / scale if scale else length / size)
        places = np.maximum((new + np.float32(0.5)) * step - np.float32(0.5), 0)
    low = np.minimum(places.astype(np.int32), length - 1)
    high = np.minimum(low + 1, length - 1)
    share = np.clip(places - low, 0, 1)
    weights = np.zeros((size, length), np.float32)
    np.add.at(weights, (np.arange(size), low), 1 - share)
    np.add.at(weights, (np.arange(size), high), share)
    return weights


RULES: dict[str, Callable[..., Any]] = {
    "upsample_bilinear2d": bilinear,
    "upsample_nearest2d": nearest,
}
