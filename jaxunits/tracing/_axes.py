"""How axes pass through operations that move, join or split them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from ._pointwise import is_pointwise

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


def moved_axes(equation: Any, source: Any, axes: frozenset[int]) -> frozenset[int]:
    """Where axes of an operation's input are in its output."""
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
