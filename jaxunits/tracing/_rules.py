"""What operations do to replaced channels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp

from ._contraction import convolution, product, summed
from ._forms import Form, Replaced, is_form, same_units
from ._movement import MOVEMENTS, moved, with_channels
from ._pointwise import AFFINE, OTHERS, is_pointwise
from ._program import bind
from ._walk import Rule, Walk


def pointwise(walk: Walk, equation: Any, inputs: Sequence[Form]) -> list[Form] | None:
    """An elementwise operation."""
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
    others = [each for number, each in enumerate(inputs) if number != place]
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


def _window(walk: Walk, equation: Any, inputs: Sequence[Form]) -> list[Form] | None:
    form: Any = inputs[0]
    parameters = equation.params
    axis = form.axis
    still = ("window_dimensions", "window_strides", "base_dilation")
    if any(parameters[name][axis] != 1 for name in still) or parameters["padding"][axis] != (0, 0):
        return None
    if form.vectors is not None and equation.primitive.name != "reduce_window_sum":
        return None
    return moved(walk, equation, inputs, axis)


def _reduction(walk: Walk, equation: Any, inputs: Sequence[Form]) -> list[Form] | None:
    form: Any = inputs[0]
    axes = equation.params["axes"]
    if form.vectors is not None and equation.primitive.name != "reduce_sum":
        return None
    if form.axis not in axes:
        return moved(walk, equation, inputs, form.axis - sum(axis < form.axis for axis in axes))
    if equation.primitive.name == "reduce_sum":
        return summed(walk, equation, form)
    return None


def _along_axis(walk: Walk, equation: Any, inputs: Sequence[Form]) -> list[Form] | None:
    """Running sums and the like along another axis."""
    form: Any = inputs[0]
    if form.axis == equation.params["axis"]:
        return None
    if form.vectors is not None and equation.primitive.name != "cumsum":
        return None
    return moved(walk, equation, inputs, form.axis)


def _passed(walk: Walk, equation: Any, inputs: Sequence[Form]) -> list[Form] | None:
    """What keeps the compiler from moving operations changes no value."""
    return list(inputs)


_REDUCTIONS = (
    "argmax",
    "argmin",
    "reduce_and",
    "reduce_max",
    "reduce_min",
    "reduce_or",
    "reduce_prod",
    "reduce_sum",
)
_RUNNING = ("cumlogsumexp", "cummax", "cummin", "cumprod", "cumsum")
_WINDOWS = ("reduce_window", "reduce_window_max", "reduce_window_min", "reduce_window_sum")

RULES: Mapping[str, Rule] = {
    **dict.fromkeys(AFFINE | OTHERS, pointwise),
    **dict.fromkeys(_WINDOWS, with_channels(_window)),
    **dict.fromkeys(_REDUCTIONS, with_channels(_reduction)),
    **dict.fromkeys(_RUNNING, with_channels(_along_axis)),
    **MOVEMENTS,
    "conv_general_dilated": convolution,
    "dot_general": product,
    "optimization_barrier": _passed,
}
