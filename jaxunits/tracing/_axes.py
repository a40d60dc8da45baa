"""Where the axis of units goes through operations that move, join or split axes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ._pointwise import is_pointwise
from ._program import variables

_KEPT = {
    "pad",
    "slice",
    "dynamic_slice",
    "rev",
    "cumsum",
    "cummax",
    "reduce_window",
    "reduce_window_max",
    "reduce_window_min",
    "reduce_window_sum",
    "concatenate",
    "softmax",
}
_REDUCTIONS = {"reduce_sum", "reduce_max", "reduce_min", "reduce_prod", "argmax", "argmin"}


def groups(old: Sequence[int], new: Sequence[int]) -> Iterator[tuple[range, range]]:
    """The axes of a reshaped array that correspond: groups of equally many numbers."""
    i = j = 0
    while i < len(old) or j < len(new):
        first, second = i, j
        left, right = 1, 1
        if i < len(old):
            left, i = old[i], i + 1
        if j < len(new):
            right, j = new[j], j + 1
        while left != right:
            if left < right:
                left, i = left * old[i], i + 1
            else:
                right, j = right * new[j], j + 1
        # An axis of one number stands alone unless there is nothing that it could be.
        yield range(first, i), range(second, j)


def reshaped_axis(old: Sequence[int], new: Sequence[int], axis: int) -> int | None:
    """Where an axis is after a reshape; None where it is joined with others or split."""
    before, length = math.prod(old[:axis]), old[axis]
    found = [
        place
        for place, size in enumerate(new)
        if size == length and math.prod(new[:place]) == before
    ]
    return found[-1] if found else None


def unit_axes(producers: Mapping[Any, Any], dependent: set[Any], variable: Any) -> frozenset[int]:
    """The axes of a value that the convolution or matrix product before it gives units.

    Args:
      producers: of all variables.
      dependent: the variables that depend on the images.
      variable: the value.

    Returns:
      Several where a product has several axes of its own (such as heads and their features), none
      where there is no convolution or product.
    """
    equation = producers.get(variable)
    if equation is None:
        return frozenset()
    name, parameters = equation.primitive.name, equation.params
    if name == "conv_general_dilated":
        return frozenset({parameters["dimension_numbers"].out_spec[1]})
    if name == "dot_general":
        return frozenset(_free_axes(equation, dependent))
    inputs = [each for each in variables(equation.invars) if each in dependent]
    for source in inputs:
        found = unit_axes(producers, dependent, source)
        if found:
            return moved_axes(equation, source, found)
    return frozenset()


def _free_axes(equation: Any, dependent: set[Any]) -> Iterable[int]:
    """The axes of a product that only its constant factor has."""
    (contracted, batch) = equation.params["dimension_numbers"]
    left, right = equation.invars
    free = [
        [axis for axis in range(len(atom.aval.shape)) if axis not in (*contracted[i], *batch[i])]
        for i, atom in enumerate((left, right))
    ]
    start = len(batch[0])
    of_images = [each in dependent for each in (left, right)]
    if of_images == [True, False]:
        return range(start + len(free[0]), start + len(free[0]) + len(free[1]))
    if of_images == [False, True]:
        return range(start, start + len(free[0]))
    return ()


def moved_axes(equation: Any, source: Any, axes: frozenset[int]) -> frozenset[int]:
    """Where axes of an operation's input are in what it gives."""
    name, parameters = equation.primitive.name, equation.params
    old, new = source.aval.shape, equation.outvars[0].aval.shape
    if is_pointwise(equation) or name in _KEPT:
        return axes if len(old) == len(new) else frozenset()
    if name == "transpose":
        return frozenset(parameters["permutation"].index(axis) for axis in axes)
    if name == "broadcast_in_dim":
        return frozenset(parameters["broadcast_dimensions"][axis] for axis in axes)
    if name in ("reshape", "squeeze", "expand_dims"):
        return frozenset(
            place
            for before, after in groups(old, new)
            for place in after
            if axes & set(before) and (new[place] > 1 or len(after) == 1)
        )
    if name in _REDUCTIONS:
        gone = parameters["axes"]
        return frozenset(axis - sum(each < axis for each in gone) for axis in axes - set(gone))
    return frozenset()
