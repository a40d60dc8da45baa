"""Convolutions that are fast on small maps too, and the batch norm behind them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

Arrays = TypeVar("Arrays", bound=tuple[Any, ...])

# PyTorch's: the share of the running averages that a batch leaves, and what is added to variances.
_KEPT = 0.9
_EPSILON = 1e-5


def convolution(
    inputs: int,
    outputs: int,
    size: int = 3,
    *,
    strides: int = 1,
    padding: int = 0,
    bias: bool = True,
    kernel_init: Any,
) -> nnx.Conv:
    """A convolution of square windows, its biases zero.

    Args:
      inputs: channels that it reads.
      outputs: channels of its output.
      size: side of the window in pixels.
      strides: step in pixels.
      padding: pixels of zeros on each side.
      bias: whether a number is added to each output.
      kernel_init: the initializer of its kernel.
    """
    return nnx.Conv(
        inputs,
        outputs,
        (size, size),
        (strides, strides),
        padding=padding,
        use_bias=bias,
        kernel_init=kernel_init,
        conv_general_dilated=convolve,
        rngs=nnx.Rngs(0),
    )


def batch_norm(units: int, rngs: nnx.Rngs) -> nnx.BatchNorm:
    """PyTorch's batch norm."""
    # Flax would promote activations of 16 bits to the running averages' 32.
    return nnx.BatchNorm(
        units, momentum=_KEPT, epsilon=_EPSILON, promote_dtype=_as_they_are, rngs=rngs
    )


def _as_they_are(arrays: Arrays, /, *, dtype: Any = None, inexact: bool = True) -> Arrays:
    return arrays


def convolve(
    maps: Float[Array, "images height width inputs"],
    kernel: Float[Array, "rows columns inputs outputs"],
    strides: tuple[int, int],
    padding: Sequence[tuple[int, int]],
    **options: Any,
) -> Float[Array, "images out_height out_width outputs"]:
    """`jax.lax.conv_general_dilated` of undilated kernels, and by a matrix product on small maps.

    XLA on CPUs convolves maps that are smaller than the kernel 60 times slower.
    """
    if all(side >= window for side, window in zip(maps.shape[1:3], kernel.shape[:2], strict=True)):
        return jax.lax.conv_general_dilated(maps, kernel, strides, padding, **options)
    rows, columns, inputs, outputs = kernel.shape
    windows = _windows(maps, (rows, columns), strides, padding)
    return jnp.tensordot(windows, kernel.reshape(rows * columns, inputs, outputs), 2)


def _windows(
    maps: Float[Array, "images height width inputs"],
    size: tuple[int, int],
    strides: tuple[int, int],
    padding: Sequence[tuple[int, int]],
) -> Float[Array, "images out_height out_width places inputs"]:
    """For each position of the kernel, the pixels under it."""
    padded = jnp.pad(maps, [(0, 0), *padding, (0, 0)])
    # Nothing is left of maps that are too small even with their border.
    height, width = (
        max(0, (length - side) // step + 1)
        for length, side, step in zip(padded.shape[1:3], size, strides, strict=True)
    )
    down, across = strides
    places = [
        padded[:, top::down, left::across][:, :height, :width]
        for top in range(size[0])
        for left in range(size[1])
    ]
    return jnp.stack(places, axis=-2)
