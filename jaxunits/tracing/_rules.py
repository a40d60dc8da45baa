"""What operations do to replaced channels that they do not mix."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp

from ._axes import reshaped_axis
from ._contraction import convolution, product, summed
from ._forms import Form, Replaced, is_form, same_units
from ._pointwise import AFFINE, OTHERS, is_pointwise
from ._program import bind
from ._walk import Rule, Walk

Forms = "list[Form] | None"


def pointwise(walk: Walk, equation: Any, inputs: Sequence[Form]) -> list[Form] | None:
    """An operation that acts number by number."""
    forms = [each for each in inputs if is_form(each)]
    first: Any = forms[0]
    if not is_pointwise(equation):
        return None
    if first.vectors is not None:
        return _scaled(equation, inputs)
    if not same_units(forms):
        return None
    bases = [each.base if isinstance(each, Replaced) else _unflat(each, first) for each in inputs]
    whole = first.base.shape if first.shape else equation.outvars[0].aval.shape
    if whole[first.axis] != first.base.shape[first.axis]:
        return None
    rows, changes = first.units.shape
    shape = (rows, *whole[: first.axis], changes, *whole[first.axis + 1 :])
    slices = [
        _sliced(each.slices if isinstance(each, Replaced) else base, first, shape)
        for each, base in zip(inputs, bases, strict=True)
    ]
    base, changed = bind(equation, bases)[0], bind(equation, slices)[0]
    return [dataclasses.replace(first, base=base, slices=changed)]


def _unflat(array: Any, form: Replaced) -> Any:
    """An array beside a flattened one, in the shape before the flattening."""
    if form.shape is None or jnp.ndim(array) == 0:
        return array
    return jnp.broadcast_to(array, form.shape).reshape(form.base.shape)


def _sliced(array: Any, form: Replaced, shape: tuple[int, ...]) -> Any:
    """An array's channels that differ in a form, or what already is such slices."""
    if jnp.ndim(array) == 0:
        return array
    if array.ndim < len(shape):
        array = array[None] if array.shape[form.axis] == 1 else form.taken(array)
    return jnp.broadcast_to(array, shape)


def _scaled(equation: Any, inputs: Sequence[Form]) -> list[Form] | None:
    """Sums with a shared array, products with a number: what directions commute with."""
    name = equation.primitive.name
    place = next(number for number, each in enumerate(inputs) if is_form(each))
    form: Any = inputs[place]
    others = [each for each in inputs if each is not form]
    if any(map(is_form, others)) or len(others) > 1:
        return None
    base = bind(equation, [form.base if each is form else _unflat(each, form) for each in inputs])[
        0
    ]
    if name in ("add", "add_any") or (name == "sub" and place == 0):
        return [dataclasses.replace(form, base=base)]
    if name in ("neg", "sub"):
        return [dataclasses.replace(form, base=base, slices=-form.slices)]
    if name in ("convert_element_type", "copy", "name"):
        return [dataclasses.replace(form, base=base, slices=form.slices.astype(base.dtype))]
    if (name == "mul" or (name == "div" and place == 0)) and jnp.ndim(others[0]) == 0:
        slices = form.slices * others[0] if name == "mul" else form.slices / others[0]
        return [dataclasses.replace(form, base=base, slices=slices)]
    return None


def _moved(
    walk: Walk,
    equation: Any,
    inputs: Sequence[Form],
    axis: int,
    parameters: Mapping[str, Any] | None = None,
) -> list[Form] | None:
    """An operation on the base once and on the slices, for which its parameters may differ."""
    form: Any = inputs[0]
    if form.shape is not None or any(map(is_form, inputs[1:])):
        return None
    changed = equation.replace(params={**equation.params, **(parameters or {})})
    base = bind(equation, [form.base, *inputs[1:]])[0]
    axes = [0, *(None for _ in inputs[1:])]
    slices = walk.each(lambda *row: bind(changed, row)[0], axes)(form.slices, *inputs[1:])
    return [dataclasses.replace(form, base=base, slices=slices, axis=axis)]


def _window(walk: Walk, equation: Any, inputs: Sequence[Form]) -> list[Form] | None:
    form: Any = inputs[0]
    parameters = equation.params
    axis = form.axis
    alone = parameters["window_dimensions"][axis] == parameters["window_strides"][axis] == 1
    if not alone or parameters["padding"][axis] != (0, 0):
        return None
    if form.vectors is not None and equation.primitive.name != "reduce_window_sum":
        return None
    return _moved(walk, equation, inputs, axis)


def _reduction(walk: Walk, equation: Any, inputs: Sequence[Form]) -> list[Form] | None:
    form: Any = inputs[0]
    axes = equation.params["axes"]
    if form.vectors is not None and equation.primitive.name != "reduce_sum":
        return None
    if form.shape is None and form.axis not in axes:
        return _moved(walk, equation, inputs, form.axis - sum(axis < form.axis for axis in axes))
    if equation.primitive.name == "reduce_sum" and form.shape is None:
        return summed(walk, equation, form)
    return None


def _transpose(walk: Walk, equation: Any, inputs: Sequence[Form]) -> list[Form] | None:
    form: Any = inputs[0]
    return _moved(walk, equation, inputs, equation.params["permutation"].index(form.axis))


def _pad(walk: Walk, equation: Any, inputs: Sequence[Form]) -> list[Form] | None:
    form: Any = inputs[0]
    if not isinstance(form, Replaced) or form.vectors is not None:
        return None
    padding = list(equation.params["padding_config"])
    low, _, inside = padding[form.axis]
    if inside or low < 0:
        return None
    padding[form.axis] = (0, 0, 0)
    moved = _moved(walk, equation, inputs, form.axis, {"padding_config": tuple(padding)})
    return None if moved is None else [_shifted(moved[0], low)]


def _shifted(form: Any, offset: int) -> Replaced:
    if offset == 0:
        return form
    return dataclasses.replace(form, units=jnp.where(form.units < 0, -1, form.units + offset))


def _reshape(walk: Walk, equation: Any, inputs: Sequence[Form]) -> list[Form] | None:
    form: Any = inputs[0]
    new = equation.outvars[0].aval.shape
    if form.shape is not None:
        # Back to where the channels are an axis.
        place = reshaped_axis(form.base.shape, new, form.axis)
        return None if place is None else [_reshaped(form, new, place)]
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
    if form.shape is not None:
        return None
    axis = equation.params["broadcast_dimensions"][form.axis]
    shape = list(equation.params["shape"])
    if shape[axis] != form.base.shape[form.axis]:
        return None
    shape[axis] = form.slices.shape[form.axis + 1]
    return _moved(walk, equation, inputs, axis, {"shape": tuple(shape)})


def _squeeze(walk: Walk, equation: Any, inputs: Sequence[Form]) -> list[Form] | None:
    form: Any = inputs[0]
    gone = equation.params["dimensions"]
    if form.axis in gone:
        return None
    return _moved(walk, equation, inputs, form.axis - sum(axis < form.axis for axis in gone))


def _slice(walk: Walk, equation: Any, inputs: Sequence[Form]) -> list[Form] | None:
    form: Any = inputs[0]
    axis = form.axis
    starts, limits = (list(equation.params[key]) for key in ("start_indices", "limit_indices"))
    strides = equation.params["strides"]
    if form.vectors is not None or (strides is not None and strides[axis] != 1):
        return None
    start, stop = starts[axis], limits[axis]
    starts[axis], limits[axis] = 0, form.slices.shape[axis + 1]
    parameters = {"start_indices": tuple(starts), "limit_indices": tuple(limits)}
    moved = _moved(walk, equation, inputs, axis, parameters)
    return None if moved is None else [_within(moved[0], start, stop)]


def _within(form: Any, start: int, stop: int) -> Replaced:
    if start == 0 and stop == form.base.shape[form.axis]:
        return form
    inside = (form.units >= start) & (form.units < stop)
    return dataclasses.replace(form, units=jnp.where(inside, form.units - start, -1))


def _split(walk: Walk, equation: Any, inputs: Sequence[Form]) -> list[Form] | None:
    form: Any = inputs[0]
    if form.shape is not None or form.vectors is not None:
        return None
    bases = bind(equation, [form.base])
    if equation.params["axis"] != form.axis:
        slices = walk.each(lambda row: bind(equation, [row]), [0])(form.slices)
        pairs = zip(bases, slices, strict=True)
        return [dataclasses.replace(form, base=base, slices=part) for base, part in pairs]
    results: list[Form] = []
    start = 0
    for size, base in zip(equation.params["sizes"], bases, strict=True):
        inside = (form.units >= start) & (form.units < start + size)
        units = jnp.where(inside, form.units - start, -1)
        results.append(dataclasses.replace(form, base=base, units=units))
        start += size
    return results


def _concatenate(walk: Walk, equation: Any, inputs: Sequence[Form]) -> list[Form] | None:
    forms: list[Any] = [each for each in inputs if is_form(each)]
    first = forms[0]
    alike = all(
        each.units is first.units and each.axis == first.axis and each.shape is None
        for each in forms
    )
    if not alike or any(each.vectors is not None for each in forms):
        return None
    bases = [each.base if isinstance(each, Replaced) else each for each in inputs]
    base = bind(equation, bases)[0]
    if equation.params["dimension"] != first.axis:
        slices = [
            each.slices if isinstance(each, Replaced) else first.taken(each) for each in inputs
        ]
        joined = jnp.concatenate(slices, equation.params["dimension"] + 1)
        return [dataclasses.replace(first, base=base, slices=joined)]
    starts = [
        sum(each.shape[first.axis] for each in bases[:number]) for number in range(len(bases))
    ]
    moved = [
        _shifted(each, start)
        for each, start in zip(inputs, starts, strict=True)
        if isinstance(each, Replaced)
    ]
    if len(moved) == 1:
        return [dataclasses.replace(moved[0], base=base)]
    together = jnp.concatenate([each.slices for each in moved], first.axis + 1)
    units = jnp.concatenate([each.units for each in moved], 1)
    return [dataclasses.replace(first, base=base, slices=together, units=units)]


def _along_axis(walk: Walk, equation: Any, inputs: Sequence[Form]) -> list[Form] | None:
    """Sums and turns along another axis."""
    form: Any = inputs[0]
    axes = equation.params.get("dimensions", (equation.params.get("axis"),))
    if form.axis in axes or (form.vectors is not None and equation.primitive.name != "rev"):
        return None
    return _moved(walk, equation, inputs, form.axis)


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(AFFINE | OTHERS, pointwise),
    **dict.fromkeys(("reduce_window_max", "reduce_window_min", "reduce_window_sum"), _window),
    **dict.fromkeys(("reduce_sum", "reduce_max", "reduce_min"), _reduction),
    **dict.fromkeys(("cumsum", "cummax", "rev"), _along_axis),
    "broadcast_in_dim": _broadcast,
    "concatenate": _concatenate,
    "conv_general_dilated": convolution,
    "dot_general": product,
    "pad": _pad,
    "reshape": _reshape,
    "slice": _slice,
    "split": _split,
    "squeeze": _squeeze,
    "transpose": _transpose,
}
