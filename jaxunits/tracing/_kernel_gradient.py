"""The gradient of a convolution by its kernel, as matrix products."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

# What one block's pixels and gradients may take, and how many images are in it at least. Measured
# on kernels of 3×3 to 11×11 and maps of 2×2 to 224×224: larger blocks leave the processor's cache,
# smaller ones leave its cores idle.
_BYTES = 2**21
_IMAGES = 2


def has_kernel_gradient(equation: Any) -> bool:
    """Whether `kernel_gradient` gives an operation's gradient: a convolution in float32.

    Convolutions of groups of channels and of maps with gaps (transposed ones) are XLA's.
    """
    if equation.primitive.name != "conv_general_dilated":
        return False
    parameters = equation.params
    maps, kernel = (atom.aval for atom in equation.invars)
    output = equation.outvars[0].aval
    return bool(
        parameters["feature_group_count"] == parameters["batch_group_count"] == 1
        and set(parameters["lhs_dilation"]) <= {1}
        and min((side for sides in parameters["padding"] for side in sides), default=0) >= 0
        and maps.dtype == kernel.dtype == output.dtype == jnp.float32
        and math.prod((maps.size, kernel.size, output.size)) > 0
        and len(maps.shape) > 2
    )


def kernel_gradient(
    parameters: Mapping[str, Any],
    shape: Sequence[int],
    maps: Float[Array, "..."],
    cotangent: Float[Array, "..."],
) -> Float[Array, "..."]:
    """The gradient by the kernel, block by block of images.

    For each place of the kernel it is the product of the pixels that the place meets with the
    gradient by the output, summed over images and pixels. The places along the kernel's last side
    are columns of one product.

    Args:
      parameters: of `conv_general_dilated`.
      shape: of the kernel, its axes as the parameters say.
      maps: what was convolved.
      cotangent: the gradient by the output.
    """
    numbers = parameters["dimension_numbers"]
    outputs, inputs, *sides = numbers.rhs_spec
    order = (*sides, inputs, outputs)
    *window, channels, units = (shape[axis] for axis in order)

    def product(maps: Array, cotangent: Array) -> Array:
        maps = lax.transpose(maps, _channels_last(numbers.lhs_spec))
        cotangent = lax.transpose(cotangent, _channels_last(numbers.out_spec))
        padded = jnp.pad(maps, [(0, 0), *parameters["padding"], (0, 0)])
        size = cotangent.shape[1:-1]
        flat = cotangent.reshape(-1, units)
        products = []
        for place in itertools.product(*map(range, window[:-1])):
            met = [_met(padded, (*place, last), size, parameters) for last in range(window[-1])]
            columns = jnp.concatenate(met, -1).reshape(len(flat), -1)
            products.append(
                lax.dot_general(
                    columns, flat, (((0,), (0,)), ((), ())), precision=parameters["precision"]
                )
            )
        return jnp.concatenate(products)

    pixels = cotangent.size // units // maps.shape[numbers.lhs_spec[0]]
    width = window[-1] * channels + units
    blocks = [
        _blocks(array, spec[0], pixels * width * array.dtype.itemsize)
        for array, spec in ((maps, numbers.lhs_spec), (cotangent, numbers.out_spec))
    ]
    if len(blocks[0]) == 1:
        total = product(blocks[0][0], blocks[1][0])
    else:
        start = jnp.zeros((math.prod(window) * channels, units), maps.dtype)
        total, _ = lax.scan(lambda sums, block: (sums + product(*block), None), start, blocks)
    return total.reshape(*window, channels, units).transpose(np.argsort(order))


def _blocks(array: Array, axis: int, bytes_per_image: int) -> Float[Array, "blocks images ..."]:
    """Blocks of images, as many in each as divide their number and stay in the cache."""
    array = jnp.moveaxis(array, axis, 0)
    images = len(array)
    most = max(_IMAGES, _BYTES // bytes_per_image)
    size = max(number for number in range(1, min(most, images) + 1) if images % number == 0)
    return array.reshape(images // size, size, *array.shape[1:])


def _channels_last(spec: Sequence[int]) -> tuple[int, ...]:
    """How a block's axes are turned: images lead already, then come sides, then channels."""
    images, channels, *sides = spec
    # `_blocks` has moved the images' axis to the front.
    return (0, *(axis + (axis < images) for axis in (*sides, channels)))


def _met(
    padded: Float[Array, "images *sides channels"],
    place: Sequence[int],
    size: Sequence[int],
    parameters: Mapping[str, Any],
) -> Float[Array, "images *size channels"]:
    """The pixels that a place of the kernel meets."""
    strides = parameters["window_strides"]
    starts = [one * step for one, step in zip(place, parameters["rhs_dilation"], strict=True)]
    ends = [
        start + (length - 1) * step + 1
        for start, length, step in zip(starts, size, strides, strict=True)
    ]
    return lax.slice(
        padded,
        (0, *starts, 0),
        (padded.shape[0], *ends, padded.shape[-1]),
        (1, *strides, 1),
    )
