"""Pools: reductions over windows of each channel."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from ._resizing import along_axis

Sizes = int | Sequence[int]


@dataclass(frozen=True)
class _Windows:
    """Windows along one axis.

    Attributes:
      size: of a window.
      step: from one window to the next.
      dilation: from one number of a window to the next.
      before: padding in front.
      after: padding behind, below 0 where the last numbers are in no window.
      count: of windows.
    """

    size: int
    step: int
    dilation: int
    before: int
    after: int
    count: int

    def counts(self, length: int, padding: int) -> Int[np.ndarray, " windows"]:
        """How many places of each window lie on an axis that is padded on both sides."""
        starts = np.arange(self.count) * self.step - self.before
        stops = np.minimum(starts + self.size, length + padding)
        return stops - np.maximum(starts, -padding)


def max_pool(
    x: Float[Array, "images channels *map"],
    size: Sizes,
    stride: Sizes = (),
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    *,
    axes: int = 2,
) -> tuple[Float[Array, "images channels *rows"], None]:
    """The largest number of each window; where it was is not computed."""
    windows = _windows(x.shape[-axes:], size, stride, padding, dilation, ceil_mode)
    return _reduced(x, windows, -jnp.inf, lax.max), None


def average_pool(
    x: Float[Array, "images channels *map"],
    size: Sizes,
    stride: Sizes = (),
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    axes: int = 2,
) -> Float[Array, "images channels *rows"]:
    """The mean of each window."""
    windows = _windows(x.shape[-axes:], size, stride, padding, 1, ceil_mode)
    sums = _reduced(x, windows, 0.0, lax.add)
    if divisor_override is not None:
        return sums / divisor_override
    counts = np.ones(())
    paddings = _each(padding if count_include_pad else 0, axes)
    for window, length, pad in zip(windows, x.shape[-axes:], paddings, strict=True):
        counts = np.multiply.outer(counts, window.counts(length, pad))
    if counts.min() == counts.max():
        return sums / float(counts.max())
    shape = (1,) * (x.ndim - axes) + counts.shape
    return sums / jnp.asarray(counts.reshape(shape), x.dtype)


def adaptive_average_pool(
    x: Float[Array, "images channels height width"], sizes: Sequence[int]
) -> Float[Array, "images channels rows columns"]:
    """The mean of each of a fixed number of windows along both axes of the map."""
    lengths = x.shape[-2:]
    if tuple(sizes) == (1, 1):
        return jnp.mean(x, (-2, -1), keepdims=True)
    if all(length % size == 0 for length, size in zip(lengths, sizes, strict=True)):
        window = [length // size for length, size in zip(lengths, sizes, strict=True)]
        return average_pool(x, window)
    for axis, size in zip((-2, -1), sizes, strict=True):
        x = along_axis(x, _means(x.shape[axis], size), x.ndim + axis)
    return x


def adaptive_max_pool(
    x: Float[Array, "images channels height width"], sizes: Sequence[int]
) -> tuple[Float[Array, "images channels rows columns"], None]:
    """The largest number of each of a fixed number of windows along both axes of the map."""
    for axis, size in zip((x.ndim - 2, x.ndim - 1), sizes, strict=True):
        pieces = [
            jnp.max(lax.slice_in_dim(x, start, stop, axis=axis), axis, keepdims=True)
            for start, stop in _bounds(x.shape[axis], size)
        ]
        x = lax.concatenate(pieces, axis)
    return x, None


def _windows(
    lengths: Sequence[int],
    size: Sizes,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    ceil_mode: bool,
) -> list[_Windows]:
    """The windows along the axes of the map; the size is the step where that is not given."""
    steps = size if isinstance(stride, Sequence) and not stride else stride
    options = zip(
        *(_each(sizes, len(lengths)) for sizes in (size, steps, padding, dilation)), strict=True
    )
    return [
        _along(length, window, step, pad, apart, ceil_mode)
        for length, (window, step, pad, apart) in zip(lengths, options, strict=True)
    ]


def _along(
    length: int, size: int, step: int, padding: int, dilation: int, ceil_mode: bool
) -> _Windows:
    extent = dilation * (size - 1) + 1
    room = length + 2 * padding - extent
    count = (-(-room // step) if ceil_mode else room // step) + 1
    # PyTorch leaves out a window that begins in the padding behind.
    if ceil_mode and (count - 1) * step >= length + padding:
        count -= 1
    after = (count - 1) * step + extent - length - padding
    return _Windows(size, step, dilation, padding, after, count)


def _reduced(
    x: Array, windows: Sequence[_Windows], start: float, function: Callable[[Array, Array], Array]
) -> Array:
    outer = (1,) * (x.ndim - len(windows))
    return lax.reduce_window(
        x,
        np.asarray(start, x.dtype)[()],
        function,
        outer + tuple(each.size for each in windows),
        outer + tuple(each.step for each in windows),
        [(0, 0)] * len(outer) + [(each.before, each.after) for each in windows],
        window_dilation=outer + tuple(each.dilation for each in windows),
    )


def _each(sizes: Sizes, axes: int) -> Sequence[int]:
    """One size for each axis: PyTorch takes one for all."""
    if isinstance(sizes, int):
        return (sizes,) * axes
    return tuple(sizes) * axes if len(sizes) == 1 else sizes


def _bounds(length: int, count: int) -> list[tuple[int, int]]:
    """Where each of a fixed number of windows begins and ends."""
    return [
        (window * length // count, -(-(window + 1) * length // count)) for window in range(count)
    ]


def _means(length: int, count: int) -> Float[np.ndarray, "windows length"]:
    """The mean over each of a fixed number of windows, as a matrix."""
    means = np.zeros((count, length), np.float32)
    for window, (start, stop) in enumerate(_bounds(length, count)):
        means[window, start:stop] = 1 / (stop - start)
    return means


RULES: dict[str, Callable[..., Any]] = {
    "max_pool2d_with_indices": max_pool,
    "avg_pool2d": average_pool,
    "avg_pool3d": functools.partial(average_pool, axes=3),
    "max_pool3d_with_indices": functools.partial(max_pool, axes=3),
    # PyTorch's own way to one pixel goes through strides in memory.
    "adaptive_avg_pool2d": adaptive_average_pool,
    "_adaptive_avg_pool2d": adaptive_average_pool,
    "adaptive_max_pool2d": adaptive_max_pool,
}
