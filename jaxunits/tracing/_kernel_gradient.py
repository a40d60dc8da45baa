"""Convolutions of few channels, and gradients by kernels, as matrix products."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

# What one block's pixels and gradients may take, and how many images are in it at least: larger
# blocks leave the processor's cache, smaller ones leave its cores idle (measured on kernels of 3×3
# to 11×11 and maps of 4×4 to 224×224).
_BYTES = 2**21
_IMAGES = 2
# Rows that maps have for each row by which a kernel makes them longer, so that products over all
# rows at once gain: on 32×32 they take 0.6 times as long, on 4×4 1.4 times.
_ROWS = 8
# Maps and gradients of so many bytes together stay in the processor's cache, and XLA's gradient by
# the kernel takes 0.5 to 1 times as long as products with JAX 0.12, and 0.7 to 1.3 with 0.10
# (measured on maps of 2×2 to 32×32, 16 to 512 channels and 32 to 128 images).
_CACHED = 2**22
# Channels of which XLA's convolutions take longer than a product of patches.
_FEW = 4


def has_kernel_gradient(equation: Any) -> bool:
    """Whether `kernel_gradient` gives an operation's gradient: a convolution in float32.

    Convolutions of groups of channels and of maps with gaps (transposed ones) are XLA's, and so are
    those whose gradients gain nothing by products.
    """
    return _is_convolution(equation) and (
        gains_by_patches(equation.params, equation.invars[1].aval.shape)
        or _bytes(equation.invars[0].aval) + _bytes(equation.outvars[0].aval) > _CACHED
    )


def gains_by_patches(parameters: Mapping[str, Any], shape: Sequence[int]) -> bool:
    """Whether a convolution is faster as one product of its patches, as with few channels.

    The patches take no more memory than what the convolution gives. On CPUs that takes 0.3 to 0.9
    times as long as XLA's convolution (measured with 1 and 3 channels).

    Args:
      parameters: of `conv_general_dilated`.
      shape: of the kernel, its axes as the parameters say.
    """
    units, channels, *_ = (shape[axis] for axis in parameters["dimension_numbers"].rhs_spec)
    return channels <= _FEW and math.prod(shape) <= units**2


def _bytes(maps: Any) -> int:
    return int(maps.size) * int(maps.dtype.itemsize)


def _is_convolution(equation: Any) -> bool:
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


def convolution_of_patches(
    parameters: Mapping[str, Any], maps: Float[Array, ...], kernel: Float[Array, ...]
) -> Float[Array, ...]:
    """A convolution as the product of all patches with the kernel.

    Args:
      parameters: of `conv_general_dilated`.
      maps: what is convolved.
      kernel: its axes as the parameters say.
    """
    numbers = parameters["dimension_numbers"]
    outputs, inputs, *sides = numbers.rhs_spec
    columns = lax.transpose(kernel, (*sides, inputs, outputs)).reshape(-1, kernel.shape[outputs])
    patches = _patches(parameters, kernel.shape, maps)
    found = lax.dot_general(
        patches.reshape(-1, len(columns)),
        columns,
        (((1,), (0,)), ((), ())),
        precision=parameters["precision"],
    ).reshape(*patches.shape[:-1], -1)
    images, units, *sides = numbers.out_spec
    return lax.transpose(found, np.argsort((images, *sides, units)))


def _patches(
    parameters: Mapping[str, Any], shape: Sequence[int], maps: Float[Array, ...]
) -> Float[Array, "images *size columns"]:
    """The pixels that every place of a kernel of this shape meets, place by place."""
    numbers = parameters["dimension_numbers"]
    images, channels, *sides = numbers.lhs_spec
    maps = lax.transpose(maps, (images, *sides, channels))
    padded = jnp.pad(maps, [(0, 0), *parameters["padding"], (0, 0)])
    window = [shape[axis] for axis in numbers.rhs_spec[2:]]
    size = [
        (length - (places - 1) * step - 1) // stride + 1
        for length, places, step, stride in zip(
            padded.shape[1:-1],
            window,
            parameters["rhs_dilation"],
            parameters["window_strides"],
            strict=True,
        )
    ]
    places = itertools.product(*map(range, window))
    return jnp.concatenate([_met(padded, place, size, parameters) for place in places], -1)


def kernel_gradient(
    parameters: Mapping[str, Any],
    shape: Sequence[int],
    maps: Float[Array, ...],
    cotangent: Float[Array, ...],
) -> Float[Array, ...]:
    """The gradient by the kernel, block by block of images; at once where patches gain.

    For each place of the kernel it is the product of the pixels that the place meets with the
    gradient by the output, summed over images and pixels. Several places share one product: those
    along the kernel's last side are columns of its first factor, and on large maps those along the
    first side, as the gradient shifted by so many rows, are columns of the second.

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
    if gains_by_patches(parameters, shape):
        of_images, of_units, *of_sides = numbers.out_spec
        found = lax.transpose(cotangent, (of_images, *of_sides, of_units))
        total = _product(_patches(parameters, shape, maps), found, parameters["precision"])
        return total.reshape(*window, channels, units).transpose(np.argsort(order))
    size = [cotangent.shape[axis] for axis in numbers.out_spec[2:]]
    longer = (window[0] - 1) * parameters["rhs_dilation"][0]
    shifted = (
        len(window) > 1 and parameters["window_strides"][0] == 1 and 0 < _ROWS * longer <= size[0]
    )
    shifts = range(window[0] if shifted else 1)
    apart = window[1:-1] if shifted else window[:-1]

    def product(maps: Array, cotangent: Array) -> Array:
        maps = lax.transpose(maps, _channels_last(numbers.lhs_spec))
        padded = jnp.pad(maps, [(0, 0), *parameters["padding"], (0, 0)])
        found = lax.transpose(cotangent, _channels_last(numbers.out_spec))
        if shifted:
            found = _shifted(found, parameters["rhs_dilation"][0], window[0])
        products = []
        for place in itertools.product(*map(range, apart)):
            first = (0, *place) if shifted else place
            met = [
                _met(padded, (*first, last), found.shape[1:-1], parameters)
                for last in range(window[-1])
            ]
            products.append(_product(jnp.concatenate(met, -1), found, parameters["precision"]))
        return jnp.concatenate(products)

    width = window[-1] * channels + len(shifts) * units
    of_image = width * math.prod(size) * maps.dtype.itemsize
    blocks = (
        _blocks(maps, numbers.lhs_spec[0], of_image),
        _blocks(cotangent, numbers.out_spec[0], of_image),
    )
    total = _sum(product, blocks)
    total = total.reshape(*apart, window[-1], channels, len(shifts), units)
    return jnp.moveaxis(total, -2, 0).reshape(*window, channels, units).transpose(np.argsort(order))


def _sum(function: Callable[..., Array], blocks: tuple[Array, ...]) -> Array:
    """What a function gives, summed over blocks."""
    first = [each[0] for each in blocks]
    if len(blocks[0]) == 1:
        return function(*first)
    shape = jax.eval_shape(function, *first)
    start = jnp.zeros(shape.shape, shape.dtype)
    return lax.scan(lambda sums, block: (sums + function(*block), None), start, blocks)[0]


def _product(
    columns: Float[Array, "images *size columns"],
    found: Float[Array, "images *size units"],
    precision: Any,
) -> Float[Array, "columns units"]:
    """The product summed over images and pixels."""
    return lax.dot_general(
        columns.reshape(-1, columns.shape[-1]),
        found.reshape(-1, found.shape[-1]),
        (((0,), (0,)), ((), ())),
        precision=precision,
    )


def _shifted(
    found: Float[Array, "images rows *sides units"], step: int, places: int
) -> Float[Array, "images longer *sides units_of_places"]:
    """Maps shifted by rows, once for each place, side by side."""
    pads: list[tuple[int, int, int]] = [(0, 0, 0)] * found.ndim
    shifted = []
    for place in range(places):
        pads[1] = (place * step, (places - 1 - place) * step, 0)
        shifted.append(lax.pad(found, jnp.zeros((), found.dtype), pads))
    return jnp.concatenate(shifted, -1)


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
