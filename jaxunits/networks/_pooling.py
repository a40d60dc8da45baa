"""Pools, which act on each channel by itself."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float


@functools.partial(jax.custom_jvp, nondiff_argnums=(1, 2, 3, 4))
def max_pool(
    maps: Float[Array, "images height width units"],
    size: int,
    strides: int,
    padding: int = 0,
    ceil: bool = False,
) -> Float[Array, "images rows columns units"]:
    """The largest value of each window of each channel.

    The value is XLA's windowed reduction, which fuses with the convolutions round it. The
    derivative is that of a maximum of shifted slices: the same where one value of a window is the
    largest, and ten times as fast on CPUs as the derivative of the windowed reduction. Equal
    largest values share it.

    Args:
      maps: the activations.
      size: side of the window in pixels.
      strides: step in pixels.
      padding: pixels of minus infinity on each side.
      ceil: whether windows beyond the lower and right edges count (PyTorch's `ceil_mode`).
    """
    pads = _pads(maps.shape, size, strides, padding, ceil)
    return nnx.max_pool(maps, (size, size), (strides, strides), pads)


@max_pool.defjvp
def _derivative(
    size: int,
    strides: int,
    padding: int,
    ceil: bool,
    primals: tuple[Array],
    tangents: tuple[Array],
) -> tuple[Any, Any]:
    pads = _pads(primals[0].shape, size, strides, padding, ceil)
    _, change = jax.jvp(lambda maps: _by_slices(maps, size, strides, pads), primals, tangents)
    return max_pool(*primals, size, strides, padding, ceil), change


def _pads(
    shape: tuple[int, ...], size: int, strides: int, padding: int, ceil: bool
) -> list[tuple[int, int]]:
    """Pixels before and after the maps, for height and width."""
    missing = [(size - side - 2 * padding) % strides if ceil else 0 for side in shape[1:3]]
    return [(padding, padding + pixels) for pixels in missing]


def _by_slices(
    maps: Float[Array, "images height width units"],
    size: int,
    strides: int,
    pads: list[tuple[int, int]],
) -> Float[Array, "images rows columns units"]:
    maps = jnp.pad(maps, [(0, 0), *pads, (0, 0)], constant_values=-jnp.inf)
    rows, columns = ((side - size) // strides + 1 for side in maps.shape[1:3])
    shifted = [
        maps[:, top::strides, left::strides][:, :rows, :columns]
        for top in range(size)
        for left in range(size)
    ]
    return functools.reduce(jnp.maximum, shifted)


def average_to(
    maps: Float[Array, "images height width units"], size: tuple[int, int]
) -> Float[Array, "images rows columns units"]:
    """The means of so many windows, whatever the size of the maps (PyTorch's adaptive pool).

    Window i of n covers the rows from ⌊i · height / n⌋ up to ⌈(i + 1) · height / n⌉, and columns
    in the same way. Windows overlap where the division leaves a remainder.

    Args:
      maps: the activations; maps that already have that size are returned unchanged.
      size: rows and columns that are left.
    """
    if maps.shape[1:3] == size:
        return maps
    down, across = (
        jnp.asarray(_window_means(sides, windows), maps.dtype)
        for sides, windows in zip(maps.shape[1:3], size, strict=True)
    )
    return jnp.einsum("nhwu,rh,cw->nrcu", maps, down, across)


def _window_means(length: int, windows: int) -> Float[np.ndarray, "windows length"]:
    """The mean over each window, as a matrix."""
    means = np.zeros((windows, length))
    for window in range(windows):
        start, stop = window * length // windows, -(-(window + 1) * length // windows)
        means[window, start:stop] = 1 / (stop - start)
    return means
