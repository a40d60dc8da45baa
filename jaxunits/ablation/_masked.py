"""What masks do to the values of a traced network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from ..networks._function import Traced
from ..tracing import Dense, Form, Replaced, Walk, along, is_form, take


def channels(values: Array, array: Any, axis: int) -> Array:
    """Numbers `[units]` in the shape of a layer's activations."""
    shape = [1] * array.ndim
    shape[axis] = array.shape[axis]
    return values.astype(array.dtype).reshape(shape)


def ablated_values(
    traced: Traced, layer: str, params: PyTree, fixed: Mapping[str, Any], partners: Any
) -> dict[Any, Array | None]:
    """What ablated units of a layer give, `[units]` or as its activations, by variable.

    Args:
      traced: the network.
      layer: the layer.
      params: the network's parameters.
      fixed: `values` of ablated units, where there are any.
      partners: the images whose activations ablated units give, where there are any.
    """
    variables = traced.sites[layer].values
    if partners is None:
        return dict.fromkeys(variables, fixed.get("values"))
    found = traced.program.values((params, partners), variables)
    return dict(zip(variables, found, strict=True))


def replaced(
    array: Array,
    axis: int,
    fixed: Mapping[str, Any],
    value: Array | None,
    base: Bool[Array, " units"],
    units: Int[Array, "rows changes"],
    signs: Float[Array, "rows changes"],
) -> Replaced:
    """Activations under masks that are reached from a base mask by changing some units.

    Args:
      array: the activations.
      axis: their axis of units.
      fixed: the `basis` of directions, where there is one.
      value: what ablated units give, `[units]` or as the activations; None for zero.
      base: the units that the base mask keeps.
      units: the units that change.
      signs: 1 ablates the unit, −1 restores it, 0 is no change.
    """
    chosen = jnp.where(signs == 0, -1, units)
    if "basis" in fixed:
        return _along_directions(array, axis, fixed["basis"], base, chosen, signs)
    if value is None:
        value = jnp.zeros(array.shape[axis])
    gone = value if value.ndim == array.ndim else channels(value, array, axis)
    kept = channels(base, array, axis).astype(bool)
    shared = jnp.where(kept, array, gone)
    own = take(array, chosen, axis)
    other = jnp.broadcast_to(take(gone, chosen, axis), own.shape)
    removes = along(signs > 0, own.ndim, axis)
    return Replaced(shared, jnp.where(removes, other, own), chosen, axis)


def _along_directions(
    array: Array, axis: int, basis: Array, base: Array, units: Array, signs: Array
) -> Replaced:
    basis = basis.astype(array.dtype)
    last = jnp.moveaxis(array, axis, -1)
    rotated = last @ basis
    gone = (1 - base).astype(array.dtype).reshape((1,) * (last.ndim - 1) + base.shape)
    removed = rotated * gone
    shared = jnp.moveaxis(last - removed @ basis.T, -1, axis)
    own = take(jnp.moveaxis(rotated, -1, axis), units, axis)
    change = -own * along(signs, own.ndim, axis).astype(own.dtype)
    return Replaced(shared, change, units, axis, vectors=basis.T[jnp.maximum(units, 0)])


def without_directions(
    array: Array, axis: int, basis: Array, mask: Float[Array, " directions"]
) -> Array:
    """Activations without the coordinates that a mask ablates."""
    basis = basis.astype(array.dtype)
    last = jnp.moveaxis(array, axis, -1)
    gone = (1 - mask).astype(array.dtype).reshape((1,) * (last.ndim - 1) + mask.shape)
    return jnp.moveaxis(last - ((last @ basis) * gone) @ basis.T, -1, axis)


def scaled(walk: Walk, form: Form, axis: int, masks: Array) -> Form:
    """A value under masks `[units]`, or one mask for every row, `[rows, units]`."""
    if masks.ndim == 1 and not is_form(form):
        return form * channels(masks, form, axis)
    each = walk.each(
        lambda array, mask: array * channels(mask, array, axis), [0, 0 if masks.ndim > 1 else None]
    )
    return Dense(each(walk.densified(form).value, masks))


def seeds_of_others(
    walk: Walk, traced: Traced, held: Mapping[str, PyTree], rows: Mapping[str, PyTree]
) -> dict[Any, Any]:
    """What masks of other layers do, by variable."""

    def seed(layer: str, masks: Array) -> Any:
        return lambda form: scaled(walk, form, traced.axes[layer], masks)

    return {
        variable: seed(layer, masks)
        for layer, masks in {**held, **rows}.items()
        for variable in traced.sites[layer].values
    }
