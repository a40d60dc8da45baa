"""By how much sums over channels change if some channels are replaced."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ._forms import Form, Replaced, is_form, take
from ._program import bind
from ._walk import Walk


def summed(walk: Walk, equation: Any, form: Replaced) -> list[Form]:
    """A sum over channels, such as a norm's mean."""
    axes = tuple(axis + 1 for axis in equation.params["axes"])
    change = form.difference()
    if form.vectors is not None:
        change = _along_channels(change, form.vectors.sum(2), form.axis)
    base = bind(equation, [form.base])[0]
    return [walk.total(base, change.sum(axes))]


def _along_channels(parts: Array, factors: Array, axis: int) -> Array:
    shape = [len(factors)] + [1] * (parts.ndim - 1)
    shape[axis + 1] = factors.shape[1]
    return parts * factors.reshape(shape).astype(parts.dtype)


def product(walk: Walk, equation: Any, inputs: Sequence[Form]) -> list[Form] | None:
    """A matrix product of one replaced factor."""
    forms = [number for number, each in enumerate(inputs) if is_form(each)]
    if len(forms) != 1:
        return None
    side = forms[0]
    form: Any = inputs[side]
    other: Any = inputs[1 - side]
    contracted, _ = equation.params["dimension_numbers"]
    if form.shape is not None:
        return _flat_product(walk, equation, form, other, side)
    if form.axis in contracted[side]:
        place = contracted[1 - side][contracted[side].index(form.axis)]
        weights = _weights(form, other, place)
        return [_total_product(walk, equation, form, other, weights, side)]
    if form.vectors is not None and form.axis in equation.params["dimension_numbers"][1][side]:
        return None
    return _free_product(walk, equation, form, other, side)


def _weights(form: Replaced, other: Any, axis: int) -> Float[Array, "rows ..."]:
    """The part of a factor that the changes meet."""
    if form.vectors is None:
        return take(other, form.units, axis)
    turned = jnp.tensordot(form.vectors.astype(other.dtype), other, ((2,), (axis,)))
    return jnp.moveaxis(turned, 1, axis + 1)


def _total_product(
    walk: Walk, equation: Any, form: Replaced, other: Any, weights: Array, side: int
) -> Form:
    base = bind(equation, [form.base, other] if side == 0 else [other, form.base])[0]

    def one(change: Array, part: Array) -> Array:
        return bind(equation, [change, part] if side == 0 else [part, change])[0]

    return walk.total(base, walk.each(one, [0, 0])(form.difference(), weights))


def _flat_product(
    walk: Walk, equation: Any, form: Replaced, other: Any, side: int
) -> list[Form] | None:
    """A product over the flattened axis that channels and positions have become."""
    contracted, batch = equation.params["dimension_numbers"]
    shape, inner = form.shape or (), form.base.shape
    # Only images before, everything else in one.
    if batch[0] or len(shape) != 2 or shape[0] != inner[0] or contracted[side] != (1,):
        return None
    place = contracted[1 - side][0]
    axes = tuple(range(1, len(inner)))
    unfolded = other.reshape(*other.shape[:place], *inner[1:], *other.shape[place + 1 :])
    places = tuple(place + number for number in range(len(axes)))
    weights = _weights(form, unfolded, places[form.axis - 1])
    pairs = (axes, places) if side == 0 else (places, axes)
    changed = equation.replace(params={**equation.params, "dimension_numbers": (pairs, ((), ()))})
    return [_total_product(walk, changed, form, unfolded, weights, side)]


def _free_product(walk: Walk, equation: Any, form: Replaced, other: Any, side: int) -> list[Form]:
    """A product that leaves channels apart: they are an axis of their own, or of both factors."""
    contracted, batch = equation.params["dimension_numbers"]
    base = bind(equation, [form.base, other] if side == 0 else [other, form.base])[0]
    if form.axis in batch[side]:
        axis = batch[side].index(form.axis)
        part, parts = take(other, form.units, batch[1 - side][axis]), 0
    else:
        free = [
            [each for each in range(rank) if each not in (*contracted[number], *batch[number])]
            for number, rank in enumerate(
                (form.base.ndim, other.ndim) if side == 0 else (other.ndim, form.base.ndim)
            )
        ]
        axis = len(batch[0]) + (len(free[0]) if side else 0) + free[side].index(form.axis)
        part, parts = other, None

    def one(slices: Array, part: Any) -> Array:
        return bind(equation, [slices, part] if side == 0 else [part, slices])[0]

    slices = walk.each(one, [0, parts])(form.slices, part)
    return [dataclasses.replace(form, base=base, slices=slices, axis=axis)]


def convolution(walk: Walk, equation: Any, inputs: Sequence[Form]) -> list[Form] | None:
    """A convolution of replaced channels."""
    form, kernel = inputs
    parameters = equation.params
    numbers = parameters["dimension_numbers"]
    if not isinstance(form, Replaced) or is_form(kernel) or form.shape is not None:
        return None
    if form.axis != numbers.lhs_spec[1] or parameters["batch_group_count"] != 1:
        return None
    base = bind(equation, [form.base, kernel])[0]
    if parameters["feature_group_count"] == 1:
        weights = _weights(form, kernel, numbers.rhs_spec[1])
        return [walk.total(base, _contribution(walk, equation, form.difference(), weights))]
    windows = _windows(equation, form.difference(), _sides(kernel, numbers))
    alone = kernel.shape[numbers.rhs_spec[1]] == 1 or (
        form.units.shape[1] == 1 and not walk.running
    )
    if form.vectors is None and alone:
        return [_of_group(equation, form, kernel, base, windows)]
    return [walk.total(base, _of_groups(equation, form, kernel, windows))]


def _contribution(
    walk: Walk, equation: Any, change: Float[Array, "rows ..."], weights: Float[Array, "rows ..."]
) -> Float[Array, "rows ..."]:
    """What the changed channels alone give."""
    if walk.rows == 1:
        return bind(equation, [change[0], weights[0]])[0][None]
    # As one batched matrix product over windows: a kernel per mask makes slow convolutions.
    numbers = equation.params["dimension_numbers"]
    windows = _windows(equation, change, _sides(weights[0], numbers))
    kernel = jnp.transpose(weights, _kernel_order(numbers)).reshape(
        len(weights), -1, windows.shape[-1], weights.shape[numbers.rhs_spec[0] + 1]
    )
    out = _einsum(equation, "rn...pk,rpko->rn...o", windows, kernel)
    return _to_spec(out, numbers.out_spec)


def _kernel_order(numbers: Any) -> tuple[int, ...]:
    outputs, inputs, *space = numbers.rhs_spec
    return (0, *(axis + 1 for axis in space), inputs + 1, outputs + 1)


def _sides(kernel: Any, numbers: Any) -> list[int]:
    return [kernel.shape[axis] for axis in numbers.rhs_spec[2:]]


def _windows(
    equation: Any, maps: Float[Array, "rows ..."], sides: Sequence[int]
) -> Float[Array, "rows images ... places changes"]:
    """For every output position the numbers that each place of the kernel meets."""
    parameters = equation.params
    images, channels, *space = parameters["dimension_numbers"].lhs_spec
    order = (0, images + 1, *(axis + 1 for axis in space), channels + 1)
    zero = jnp.zeros((), maps.dtype)
    edges = [
        (low, high, gap - 1)
        for (low, high), gap in zip(parameters["padding"], parameters["lhs_dilation"], strict=True)
    ]
    still = (0, 0, 0)
    padded = jax.lax.pad(jnp.transpose(maps, order), zero, [still, still, *edges, still])
    steps, gaps = parameters["window_strides"], parameters["rhs_dilation"]
    lengths = [
        (size - (side - 1) * gap - 1) // step + 1
        for size, side, step, gap in zip(padded.shape[2:-1], sides, steps, gaps, strict=True)
    ]
    pieces = []
    for place in itertools.product(*map(range, sides)):
        starts = [number * gap for number, gap in zip(place, gaps, strict=True)]
        index = tuple(
            slice(start, start + step * (length - 1) + 1, step)
            for start, step, length in zip(starts, steps, lengths, strict=True)
        )
        pieces.append(padded[(slice(None), slice(None), *index)])
    return jnp.stack(pieces, -2)


def _to_spec(out: Array, spec: Sequence[int]) -> Array:
    """From rows, images, space, channels to the order that a convolution gives."""
    images, channels, *space = spec
    order = [0] * out.ndim
    order[images + 1], order[channels + 1] = 1, out.ndim - 1
    for number, axis in enumerate(space):
        order[axis + 1] = 2 + number
    return jnp.transpose(out, order)


def _einsum(equation: Any, subscripts: str, windows: Array, weights: Array) -> Array:
    """A product as precise as the convolution that it stands for."""
    precision = equation.params["precision"]
    return jnp.einsum(subscripts, windows, weights, precision=precision)


def _by_group(equation: Any, kernel: Any) -> Float[Array, "places inputs groups outputs"]:
    """A kernel apart for its groups."""
    numbers, groups = equation.params["dimension_numbers"], equation.params["feature_group_count"]
    outputs, inputs, *space = numbers.rhs_spec
    moved = jnp.transpose(kernel, (*space, inputs, outputs))
    return moved.reshape(-1, kernel.shape[inputs], groups, kernel.shape[outputs] // groups)


def _of_group(equation: Any, form: Replaced, kernel: Any, base: Array, windows: Array) -> Replaced:
    """A convolution in groups replaces the outputs of the channel's group."""
    numbers = equation.params["dimension_numbers"]
    flat = _by_group(equation, kernel)
    _, each, _, size = flat.shape
    units = jnp.maximum(form.units, 0)
    chosen = jnp.moveaxis(flat, 0, 2)[units % each, units // each]
    parts = _einsum(equation, "rn...pk,rkpo->rn...ko", windows, chosen)
    parts = _to_spec(parts.reshape(*parts.shape[:-2], -1), numbers.out_spec)
    axis = numbers.out_spec[1]
    touched = form.units
    if (each, size) != (1, 1):
        members = jnp.arange(size, dtype=units.dtype)[None, None]
        touched = jnp.where(touched[..., None] < 0, -1, (units // each)[..., None] * size + members)
        touched = touched.reshape(len(units), -1)
    return Replaced(base, take(base, touched, axis) + parts, touched, axis)


def _of_groups(
    equation: Any, form: Replaced, kernel: Any, windows: Array
) -> Float[Array, "rows ..."]:
    """What a convolution in groups gives of channels that may share a group."""
    flat = _by_group(equation, kernel)
    _, each, groups, _ = flat.shape
    hits = form.directions().astype(flat.dtype)
    hits = hits.reshape(*hits.shape[:2], groups, each)
    weights = jnp.einsum("rkge,pego->rkpgo", hits, flat)
    parts = _einsum(equation, "rn...pk,rkpgo->rn...go", windows, weights)
    numbers = equation.params["dimension_numbers"]
    return _to_spec(parts.reshape(*parts.shape[:-2], -1), numbers.out_spec)
