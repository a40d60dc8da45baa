"""One unit of a layer without the others: backwards from the layer to what made its channels."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from ._graph import Graph
from ._program import bind, body, needed, read, variables


def channel(
    graph: Graph,
    wanted: Sequence[Any],
    axis: int,
    arguments: Sequence[PyTree],
    unit: Int[Array, ""],
) -> list[Array]:
    """One channel of some values of a program, `axis` of length 1.

    Elementwise operations, and the convolution or product before them, are evaluated for the
    channel alone; what comes before is evaluated whole, and nothing behind. What several values
    need is evaluated once, forwards and backwards.

    Args:
      graph: the program, traced with derivatives.
      wanted: the variables.
      axis: their axis of channels.
      arguments: of the program.
      unit: the channel.
    """
    alone, whole = _parts(graph, wanted, axis)
    values = graph.program.bound(arguments)
    for equation in needed(graph.program.equations, whole):
        values.update(
            zip(
                equation.outvars,
                bind(equation, [read(values, atom) for atom in equation.invars]),
                strict=True,
            )
        )
    channels: dict[Any, Array] = {}

    def part(atom: Any) -> Any:
        if not hasattr(atom, "val") and atom in channels:
            return channels[atom]
        array = read(values, atom)
        if jnp.ndim(array) == 0 or array.shape[axis] == 1:
            return array
        return jnp.take(array, unit[None], axis=axis)

    for equation in alone:
        name = equation.primitive.name
        if name in ("conv_general_dilated", "dot_general"):
            inputs = [read(values, atom) for atom in equation.invars]
            result = _CONTRACTIONS[name](equation, inputs, unit)
        elif body(equation) is None:
            inputs = [part(atom) for atom in equation.invars]
            shape = list(equation.outvars[0].aval.shape)
            shape[axis] = 1
            spread = [each if jnp.ndim(each) == 0 else _spread(each, shape) for each in inputs]
            result = bind(equation, spread)[0]
        else:
            # A derivative of its own is for the whole shape; the compiler leaves out the rest.
            shape = equation.outvars[0].aval.shape
            inputs = [part(atom) for atom in equation.invars]
            spread = [each if jnp.ndim(each) == 0 else _spread(each, shape) for each in inputs]
            result = jax.lax.slice_in_dim(bind(equation, spread)[0], 0, 1, axis=axis)
        channels[equation.outvars[0]] = result
    return [part(value) for value in wanted]


def _spread(array: Array, shape: Sequence[int]) -> Array:
    return jnp.broadcast_to(array, tuple(shape))


def _parts(graph: Graph, wanted: Sequence[Any], axis: int) -> tuple[list[Any], list[Any]]:
    """Operations that can be evaluated for a channel alone, and what they need whole."""
    alone: dict[int, Any] = {}
    whole: dict[Any, None] = {}

    seen: set[Any] = set()

    def visit(variable: Any) -> None:
        if variable in seen:
            return
        seen.add(variable)
        equation = graph.producers.get(variable)
        if variable in graph.dependent and equation is not None:
            if graph.is_pointwise(equation):
                alone[id(equation)] = equation
                for atom in variables(equation.invars):
                    visit(atom)
                return
            if _makes_channels(equation, axis):
                alone[id(equation)] = equation
                whole.update(dict.fromkeys(variables(equation.invars)))
                return
        whole[variable] = None

    for value in wanted:
        visit(value)
    order = [each for each in graph.program.equations if id(each) in alone]
    return order, list(whole)


def _makes_channels(equation: Any, axis: int) -> bool:
    """Whether a convolution or product can give one channel alone."""
    parameters = equation.params
    if equation.primitive.name == "dot_general":
        contracted, batch = parameters["dimension_numbers"]
        own = len(equation.invars[1].aval.shape) - len(contracted[1])
        return not batch[0] and own > 0 and axis == len(equation.outvars[0].aval.shape) - 1
    if equation.primitive.name != "conv_general_dilated":
        return False
    numbers = parameters["dimension_numbers"]
    return (
        axis == numbers.out_spec[1]
        and len(numbers.out_spec) == 4
        and parameters["feature_group_count"] == parameters["batch_group_count"] == 1
        and {*parameters["lhs_dilation"], *parameters["rhs_dilation"]} <= {1}
        and len(set(parameters["window_strides"])) == 1
    )


def _convolution(equation: Any, inputs: Sequence[Array], unit: Int[Array, ""]) -> Array:
    maps, kernel = inputs
    numbers = equation.params["dimension_numbers"]
    images, channels, *space = numbers.lhs_spec
    outputs, entering, *sides = numbers.rhs_spec
    one = jnp.take(jnp.transpose(kernel, (*sides, entering, outputs)), unit, axis=-1)
    result = convolve_to_one(
        jnp.transpose(maps, (images, *space, channels)),
        one,
        equation.params["window_strides"][0],
        equation.params["padding"],
    )
    images, channels, *space = numbers.out_spec
    order = [0] * 4
    order[images], order[channels], order[space[0]], order[space[1]] = 0, 3, 1, 2
    return jnp.transpose(result[..., None], order)


def _product(equation: Any, inputs: Sequence[Array], unit: Int[Array, ""]) -> Array:
    left, right = inputs
    (_, contracted), _ = equation.params["dimension_numbers"]
    free = [axis for axis in range(right.ndim) if axis not in contracted]
    # The last of several free axes, the others whole.
    axis = free[-1]
    return bind(equation, [left, jnp.take(right, unit[None], axis=axis)])[0]


_CONTRACTIONS = {"conv_general_dilated": _convolution, "dot_general": _product}


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
