"""What a program costs, from shapes alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import jax

from ._program import Program


def multiply_adds(program: Program) -> int:
    """Multiply-adds of the convolutions and matrix products of a program.

    A loop's body counts as often as the loop runs.
    """
    return sum(_multiply_adds(each) * times for each, times in _walk(program.equations, 1))


def largest_array(program: Program, argument: int | None = None) -> int:
    """Bytes of the largest array that a program makes.

    Args:
      program: the program.
      argument: count only arrays that depend on this argument; all by default.
    """
    equations = program.equations
    if argument is not None:
        behind = program.dependent(program.leaves(argument))
        equations = tuple(each for each in equations if behind.intersection(each.outvars))
    return max(
        (
            variable.aval.size * variable.aval.dtype.itemsize
            for equation, _ in _walk(equations, 1)
            for variable in equation.outvars
            if hasattr(variable.aval, "dtype")
        ),
        default=4,
    )


def has_convolutions(program: Program) -> bool:
    """Whether there is a convolution in a program."""
    names = (each.primitive.name for each, _ in _walk(program.equations, 1))
    return "conv_general_dilated" in names


def _walk(equations: Iterable[Any], times: int) -> Iterator[tuple[Any, int]]:
    """Every operation with the number of times it runs, in nested calls too."""
    for equation in equations:
        yield equation, times
        loops = equation.params["length"] if equation.primitive.name == "scan" else 1
        for item in jax.tree.leaves(
            list(equation.params.values()), is_leaf=lambda leaf: hasattr(leaf, "eqns")
        ):
            if hasattr(item, "eqns"):
                yield from _walk(item.eqns, times * loops)


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
