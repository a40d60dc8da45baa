"""Max-pooling whose gradient is as fast as its value."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float


@functools.partial(jax.custom_jvp, nondiff_argnums=(1, 2, 3))
def max_pool(
    maps: Float[Array, "images height width units"], size: int, strides: int, padding: int = 0
) -> Float[Array, "images rows columns units"]:
    """The largest value of each window of each channel.

    The value is XLA's windowed reduction, which fuses with the convolutions round it. The
    derivative is that of a maximum of shifted slices: the same where one value of a window is the
    largest, and ten times as fast on CPUs as the derivative of the windowed reduction. Equal
    largest values share it.

    Args:
      maps: the activations.
      size: side of the window in pixels.
      strides: step in pixels; windows that do not fit are left out.
      padding: pixels of minus infinity on each side.
    """
    return nnx.max_pool(maps, (size, size), (strides, strides), [(padding, padding)] * 2)


@max_pool.defjvp
def _derivative(
    size: int, strides: int, padding: int, primals: tuple[Array], tangents: tuple[Array]
) -> tuple[Any, Any]:
    _, change = jax.jvp(lambda maps: _by_slices(maps, size, strides, padding), primals, tangents)
    return max_pool(*primals, size, strides, padding), change


def _by_slices(
    maps: Float[Array, "images height width units"], size: int, strides: int, padding: int = 0
) -> Float[Array, "images rows columns units"]:
    border = [(0, 0), (padding, padding), (padding, padding), (0, 0)]
    maps = jnp.pad(maps, border, constant_values=-jnp.inf)
    rows, columns = ((side - size) // strides + 1 for side in maps.shape[1:3])
    shifted = [
        maps[:, top::strides, left::strides][:, :rows, :columns]
        for top in range(size)
        for left in range(size)
    ]
    return functools.reduce(jnp.maximum, shifted)
