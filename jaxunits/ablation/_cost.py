"""What a computation costs, from its traced shapes: multiply-adds and the largest array."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import jax


def multiply_adds(function: Callable[..., Any], *arguments: Any) -> int:
    """Multiply-adds of the convolutions and matrix products of a function.

    A loop's body counts as often as the loop runs.
    """
    return sum(
        _multiply_adds(equation) * times for equation, times in _equations(function, arguments)
    )


def largest_array(function: Callable[..., Any], *arguments: Any) -> int:
    """Bytes of the largest array that depends on images, for arguments of one image.

    Arrays whose first dimension is 1 count as such.
    """
    return max(
        (
            variable.aval.size * variable.aval.dtype.itemsize
            for equation, _ in _equations(function, arguments)
            for variable in equation.outvars
            if hasattr(variable.aval, "dtype") and variable.aval.shape[:1] == (1,)
        ),
        default=4,
    )


def _equations(function: Callable[..., Any], arguments: Any) -> Iterator[tuple[Any, int]]:
    return _walk(jax.make_jaxpr(function)(*arguments).jaxpr, 1)


def _walk(jaxpr: Any, times: int) -> Iterator[tuple[Any, int]]:
    """Every equation with the number of times it runs, in nested calls too."""
    for equation in jaxpr.eqns:
        yield equation, times
        loops = equation.params["length"] if equation.primitive.name == "scan" else 1
        for item in jax.tree.leaves(
            list(equation.params.values()), is_leaf=lambda leaf: hasattr(leaf, "eqns")
        ):
            if hasattr(item, "eqns"):
                yield from _walk(getattr(item, "jaxpr", item), times * loops)


def _multiply_adds(equation: Any) -> int:
    name = equation.primitive.name
    if name == "dot_general":
        (contracted, _), _ = equation.params["dimension_numbers"]
        left = equation.invars[0].aval.shape
        return equation.outvars[0].aval.size * math.prod(left[axis] for axis in contracted)
    if name == "conv_general_dilated":
        kernel = equation.invars[1].aval
        outputs = kernel.shape[equation.params["dimension_numbers"].rhs_spec[0]]
        return equation.outvars[0].aval.size * kernel.size // outputs
    return 0
