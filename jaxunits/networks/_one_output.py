"""Convolutions with one output channel, whose kernel may differ from image to image."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def convolve_to_one(
    maps: Float[Array, "images height width inputs"],
    kernel: Float[Array, "rows columns inputs"],
    stride: int,
    pads: Sequence[tuple[int, int]],
) -> Float[Array, "images out_height out_width"]:
    """One output channel of a convolution: a matrix product, then a sum of shifted maps.

    Under `vmap` over images and kernels this stays one batched matrix product, where a convolution
    becomes one of as many groups as there are images.

    Args:
      maps: what is convolved.
      kernel: the weights that lead to the output channel.
      stride: step in pixels.
      pads: pixels of zeros before and after, for height and width.
    """
    blocks, weights = _stride_as_channels(maps, kernel, stride, pads)
    rows, columns, _ = weights.shape
    height, width = blocks.shape[1] - rows + 1, blocks.shape[2] - columns + 1
    products = jnp.einsum("nhwi,rci->nhwrc", blocks, weights)
    shifted = (
        products[:, row : row + height, column : column + width, row, column]
        for row in range(rows)
        for column in range(columns)
    )
    return functools.reduce(jnp.add, shifted)


def _stride_as_channels(
    maps: Float[Array, "images height width inputs"],
    kernel: Float[Array, "rows columns inputs"],
    stride: int,
    pads: Sequence[tuple[int, int]],
) -> tuple[Float[Array, "images down across block"], Float[Array, "rows_ columns_ block"]]:
    """The same convolution with a stride of 1: the pixels of every step become channels."""
    sides = kernel.shape[:2]
    wanted = [math.ceil(side / stride) * stride for side in sides]
    edges = []
    for length, side, whole, (before, after) in zip(
        maps.shape[1:3], sides, wanted, pads, strict=True
    ):
        outputs = (length + before + after - side) // stride + 1
        # Below 0 where the last pixels are not read.
        edges.append((before, (outputs - 1) * stride + whole - length - before, 0))
    padded = jax.lax.pad(maps, jnp.zeros((), maps.dtype), [(0, 0, 0), *edges, (0, 0, 0)])
    filled = [(0, whole - side) for side, whole in zip(sides, wanted, strict=True)]
    return _blocks(padded, stride), _blocks(jnp.pad(kernel, [*filled, (0, 0)])[None], stride)[0]


def _blocks(
    maps: Float[Array, "images height width channels"], side: int
) -> Float[Array, "images down across block"]:
    images, height, width, channels = maps.shape
    split = maps.reshape(images, height // side, side, width // side, side, channels)
    moved = split.transpose(0, 1, 3, 2, 4, 5)
    return moved.reshape(images, height // side, width // side, side * side * channels)
