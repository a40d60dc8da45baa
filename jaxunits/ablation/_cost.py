"""What a question costs on each path, and how many masks go together, from shapes alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import jax

from ..tracing import Program
from ._execution import Execution

# Rows of a matrix product that make up for reading its weights on a CPU (measured: AlexNet's rest
# takes 1.84, 1.67 and 1.62 s with 256, 512 and 1024 rows).
_CPU_ROWS = 512


# With one mask at a time XLA computes the layers before the mask anew for every mask of some
# networks (VGG16, 16 masks of conv5_3: 13.9 s against 1.2 s for two at a time).
_CPU_REFERENCE = 2


@dataclass(frozen=True)
class Work:
    """The work of a question, for one image.

    Attributes:
      prefix: multiply-adds that all masks share.
      base: multiply-adds of a base mask; 0 on the reference path.
      bases: how many base masks there are.
      each: multiply-adds of a mask.
      masks: how many masks there are.
      largest: bytes of the largest array that is held once a mask.
      dense: whether no convolution is evaluated for a mask.
    """

    prefix: int
    base: int
    bases: int
    each: int
    masks: int
    largest: int
    dense: bool

    @property
    def total(self) -> int:
        """Multiply-adds of all masks."""
        return self.prefix + self.bases * self.base + self.masks * self.each


def fast_work(
    early: Program, middle: Program, late: Program, change: int, bases: int, masks: int
) -> Work:
    """The work of the fast path; its programs are for one image and one mask, see `Stages`."""
    return Work(
        prefix=multiply_adds(early),
        base=multiply_adds(middle),
        bases=bases,
        each=multiply_adds(late),
        masks=masks,
        # Parameters that are reshaped for every mask are held once.
        largest=largest_array(late, change),
        dense=not has_convolutions(late),
    )


def reference_work(early: Program, late: Program, masks: int) -> Work:
    """The work of the reference path; its programs are for one image."""
    return Work(
        prefix=multiply_adds(early),
        base=0,
        bases=0,
        each=multiply_adds(late),
        masks=masks,
        largest=largest_array(late),
        dense=not has_convolutions(late),
    )


def masks_at_once(execution: Execution, work: Work, batch: int, *, fast: bool) -> int:
    """Masks evaluated together.

    A merged batch of masks and images leaves the caches of a CPU where convolutions follow, and
    fills its matrix products where dense stages do.
    """
    wanted = execution.masks_at_once or work.masks
    if execution.masks_at_once is None and execution.on_cpu:
        behind = math.ceil(_CPU_ROWS / batch) if work.dense and work.each else 1
        wanted = behind if fast else _CPU_REFERENCE
    # Two live arrays of the largest kind in half of the budget; the compiler has the last word.
    fitting = execution.budget // (4 * work.largest * batch)
    most = max(1, min(wanted, fitting, work.masks))
    # Chunks as even as can be, so that little of the last one is padding.
    return math.ceil(work.masks / math.ceil(work.masks / most))


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
