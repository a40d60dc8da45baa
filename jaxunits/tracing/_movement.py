"""What operations that move numbers do to replaced channels."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp

from ._axes import reshaped_axis
from ._forms import Form, Replaced, is_form, same_units
from ._program import bind
from ._walk import Rule, Walk


def moved(
    walk: Walk,
    equation: Any,
    inputs: Sequence[Form],
    axis: int,
    parameters: Mapping[str, Any] | None = None,
) -> list[Form] | None:
    """An operation on the base once and on the slices, for which its parameters may differ."""
    form: Any = inputs[0]
    if any(map(is_form, inputs[1:])):
        return None
    changed = equation.replace(params={**equation.params, **(parameters or {})})
    base = bind(equation, [form.base, *inputs[1:]])[0]
    axes = [0, *(None for _ in inputs[1:])]
    slices = walk.each(lambda *row: bind(changed, row)[0], axes)(form.slices, *inputs[1:])
    return [dataclasses.replace(form, base=base, slices=slices, axis=axis)]


def _transpose(walk: Walk, equation: Any, inputs: Sequence[Form]) -> list[Form] | None:
    form: Any = inputs[0]
    return moved(walk, equation, inputs, equation.params["permutation"].index(form.axis))


def _pad(walk: Walk, equation: Any, inputs: Sequence[Form]) -> list[Form] | None:
    form: Any = inputs[0]
    if form.vectors is not None:
        return None
    padding = list(equation.params["padding_config"])
    low, _, inside = map(int, padding[form.axis])
    if inside:
        return None
    padding[form.axis] = (0, 0, 0)
    found = moved(walk, equation, inputs, form.axis, {"padding_config": tuple(padding)})
    return None if found is None else [_within(found[0], -low)]


def _reshape(walk: Walk, equation: Any, inputs: Sequence[Form]) -> list[Form] | None:
    form: Any = inputs[0]
    new = equation.outvars[0].aval.shape
    place = reshaped_axis(form.base.shape, new, form.axis)
    if place is not None:
        return [_reshaped(form, new, place)]
    return [dataclasses.replace(form, shape=tuple(new))]


def _reshaped(form: Replaced, new: Sequence[int], axis: int) -> Replaced:
    sizes = list(new)
    sizes[axis] = form.slices.shape[form.axis + 1]
    slices = form.slices.reshape(len(form.slices), *sizes)
    return dataclasses.replace(
        form, base=form.base.reshape(new), slices=slices, axis=axis, shape=None
    )


def _broadcast(walk: Walk, equation: Any, inputs: Sequence[Form]) -> list[Form] | None:
    form: Any = inputs[0]
    axis = equation.params["broadcast_dimensions"][form.axis]
    shape = list(equation.params["shape"])
    if shape[axis] != form.base.shape[form.axis]:
        return None
    shape[axis] = form.slices.shape[form.axis + 1]
    return moved(walk, equation, inputs, axis, {"shape": tuple(shape)})


def _squeeze(walk: Walk, equation: Any, inputs: Sequence[Form]) -> list[Form] | None:
    form: Any = inputs[0]
    gone = equation.params["dimensions"]
    if form.axis in gone:
        return None
    return moved(walk, equation, inputs, form.axis - sum(axis < form.axis for axis in gone))


def _slice(walk: Walk, equation: Any, inputs: Sequence[Form]) -> list[Form] | None:
    form: Any = inputs[0]
    axis = form.axis
    starts, limits = (list(equation.params[key]) for key in ("start_indices", "limit_indices"))
    strides = list(equation.params["strides"] or [1] * len(starts))
    start, stop, stride = starts[axis], limits[axis], strides[axis]
    whole = (start, stop, stride) == (0, form.base.shape[axis], 1)
    if form.vectors is not None and not whole:
        return None
    starts[axis], limits[axis], strides[axis] = 0, form.slices.shape[axis + 1], 1
    found = moved(
        walk,
        equation,
        inputs,
        axis,
        {
            "start_indices": tuple(starts),
            "limit_indices": tuple(limits),
            "strides": tuple(strides),
        },
    )
    return found if found is None or whole else [_within(found[0], start, stride)]


def _within(form: Any, start: int, stride: int = 1) -> Replaced:
    """The changes of channels that `base` still has, which begin at `start`."""
    units = (form.units - start) // stride
    there = (form.units >= 0) & (units >= 0) & (units < form.base.shape[form.axis])
    there &= (form.units - start) % stride == 0
    return dataclasses.replace(form, units=jnp.where(there, units, -1))


def _split(walk: Walk, equation: Any, inputs: Sequence[Form]) -> list[Form] | None:
    form: Any = inputs[0]
    along_channels = equation.params["axis"] == form.axis
    if along_channels and form.vectors is not None:
        return None
    bases = bind(equation, [form.base])
    if not along_channels:
        slices = walk.each(lambda row: bind(equation, [row]), [0])(form.slices)
        pairs = zip(bases, slices, strict=True)
        return [dataclasses.replace(form, base=base, slices=part) for base, part in pairs]
    results: list[Form] = []
    start = 0
    for base in bases:
        results.append(_within(dataclasses.replace(form, base=base), start))
        start += base.shape[form.axis]
    return results


def _concatenate(walk: Walk, equation: Any, inputs: Sequence[Form]) -> list[Form] | None:
    forms: list[Any] = [each for each in inputs if is_form(each)]
    first = forms[0]
    alike = all(
        each.axis == first.axis and each.shape is None and each.vectors is None for each in forms
    )
    dimension = equation.params["dimension"]
    if not alike or (dimension != first.axis and not same_units(forms)):
        return None
    bases = [each.base if isinstance(each, Replaced) else each for each in inputs]
    base = bind(equation, bases)[0]
    if dimension != first.axis:
        slices = [
            each.slices if isinstance(each, Replaced) else first.taken(each) for each in inputs
        ]
        joined = jnp.concatenate(slices, dimension + 1)
        return [dataclasses.replace(first, base=base, slices=joined)]
    starts = itertools.accumulate((each.shape[dimension] for each in bases), initial=0)
    units = [
        jnp.where(each.units < 0, -1, each.units + start)
        for each, start in zip(inputs, starts, strict=False)
        if isinstance(each, Replaced)
    ]
    together = jnp.concatenate([each.slices for each in forms], dimension + 1)
    joined = jnp.concatenate(units, 1)
    return [dataclasses.replace(first, base=base, slices=together, units=joined)]


def _rev(walk: Walk, equation: Any, inputs: Sequence[Form]) -> list[Form] | None:
    form: Any = inputs[0]
    if form.axis in equation.params["dimensions"]:
        return None
    return moved(walk, equation, inputs, form.axis)


def _dynamic_slice(walk: Walk, equation: Any, inputs: Sequence[Form]) -> list[Form] | None:
    form: Any = inputs[0]
    sizes = list(equation.params["slice_sizes"])
    if sizes[form.axis] != form.base.shape[form.axis]:
        return None
    sizes[form.axis] = form.slices.shape[form.axis + 1]
    return moved(walk, equation, inputs, form.axis, {"slice_sizes": tuple(sizes)})


def _gather(walk: Walk, equation: Any, inputs: Sequence[Form]) -> list[Form] | None:
    """Positions that are picked, all channels of each."""
    form: Any = inputs[0]
    if form.vectors is not None:
        return None
    numbers = equation.params["dimension_numbers"]
    sizes = list(equation.params["slice_sizes"])
    gone = (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims)
    if form.axis in (*gone, *numbers.start_index_map):
        return None
    sizes[form.axis] = form.slices.shape[form.axis + 1]
    axis = numbers.offset_dims[form.axis - sum(each < form.axis for each in gone)]
    return moved(walk, equation, inputs, axis, {"slice_sizes": tuple(sizes)})


def with_channels(rule: Rule) -> Rule:
    """A rule for a replaced value whose channels are an axis: first, and not flattened."""

    def applied(walk: Walk, equation: Any, inputs: Sequence[Form]) -> list[Form] | None:
        form = inputs[0]
        if not isinstance(form, Replaced) or form.shape is not None:
            return None
        return rule(walk, equation, inputs)

    return applied


MOVEMENTS: Mapping[str, Rule] = {
    "broadcast_in_dim": with_channels(_broadcast),
    "concatenate": _concatenate,
    "dynamic_slice": with_channels(_dynamic_slice),
    "gather": with_channels(_gather),
    "pad": with_channels(_pad),
    "reshape": _reshape,
    "rev": with_channels(_rev),
    "slice": with_channels(_slice),
    "split": with_channels(_split),
    "squeeze": with_channels(_squeeze),
    "transpose": with_channels(_transpose),
}
