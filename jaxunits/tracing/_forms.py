"""The form of a value while many masks are evaluated together: shared, replaced, or dense.

A value that no mask reaches is an array, computed once. One in which a mask changes some channels
is `Replaced`: what is shared, and the channels that differ. Any other is `Dense`, whole for every
mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Shaped


@dataclass(frozen=True, eq=False)
class Dense:
    """Another array under every mask.

    Attributes:
      value: `[rows, ...]`, one row per mask.
    """

    value: Array


@dataclass(frozen=True, eq=False)
class Replaced:
    """A shared array of which some channels differ under every mask.

    Attributes:
      base: the shared array.
      slices: the channels that differ, `[rows, ...]`: as `base`, with `changes` in the place of the
        channels. Where `vectors` are given, what is added along each.
      units: which channels, `[rows, changes]`; −1 where there is no change.
      axis: the axis of channels in `base`.
      shape: the shape that `base` has been flattened to; None where it has not been.
      vectors: the directions along which something is added, `[rows, changes, channels]`; None for
        channels.
    """

    base: Any
    slices: Shaped[Array, "rows ..."]
    units: Int[Array, "rows changes"]
    axis: int
    shape: tuple[int, ...] | None = None
    vectors: Float[Array, "rows changes channels"] | None = None

    @property
    def whole(self) -> Array:
        """The shared array in its own shape."""
        return self.base if self.shape is None else self.base.reshape(self.shape)

    def taken(self, array: Any) -> Shaped[Array, "rows ..."]:
        """The channels that differ, of another array with the axes of `base`."""
        return take(array, self.units, self.axis)

    def difference(self) -> Shaped[Array, "rows ..."]:
        """By how much the channels differ from the shared ones."""
        if self.vectors is not None:
            return self.slices
        there = along(self.units >= 0, self.slices.ndim, self.axis)
        own, slices = self.taken(self.base), self.slices
        if own.dtype == bool:
            own, slices = own.astype(jnp.int8), slices.astype(jnp.int8)
        change = slices - own
        return jnp.where(there, change, jnp.zeros((), change.dtype))

    def substituted(self) -> Shaped[Array, "rows ..."]:
        """The whole array with its changed channels; not where changes are along `vectors`."""
        hits = self._hits()
        shape = [len(hits)] + [1] * self.base.ndim
        shape[self.axis + 1] = hits.shape[2]
        if hits.shape[1] == 1:
            chosen = self.slices
        else:
            rows = jnp.arange(len(hits))[:, None]
            last = jnp.moveaxis(self.slices, self.axis + 1, 1)
            chosen = jnp.moveaxis(last[rows, hits.argmax(1)], 1, self.axis + 1)
        whole = jnp.where(hits.any(1).reshape(shape), chosen, self.base[None])
        return whole if self.shape is None else whole.reshape(len(whole), *self.shape)

    def scattered(self) -> Shaped[Array, "rows ..."]:
        """The difference as a whole array."""
        change = self.difference()
        last = jnp.moveaxis(change, self.axis + 1, -1)
        whole = jnp.einsum("r...k,rkc->r...c", last, self.directions().astype(change.dtype))
        whole = jnp.moveaxis(whole, -1, self.axis + 1)
        return whole if self.shape is None else whole.reshape(len(whole), *self.shape)

    def directions(self) -> Shaped[Array, "rows changes channels"]:
        """Along which something is added: `vectors`, or the channels' own."""
        return self._hits() if self.vectors is None else self.vectors

    def _hits(self) -> Array:
        channels = jnp.arange(self.base.shape[self.axis], dtype=self.units.dtype)
        return self.units[:, :, None] == channels[None, None]


# An array, `Dense` or `Replaced`.
Form = Any


def is_form(value: Any) -> bool:
    """Whether a mask reaches a value."""
    return isinstance(value, Dense | Replaced)


def take(array: Any, units: Int[Array, "rows changes"], axis: int) -> Shaped[Array, "rows ..."]:
    """Some channels of an array for every row, in the place of all."""
    chosen = jnp.take(array, jnp.maximum(units, 0), axis=axis, mode="clip")
    return jnp.moveaxis(chosen, axis, 0)


def along(values: Array, rank: int, axis: int) -> Array:
    """Numbers `[rows, changes]` in the shape of slices."""
    shape = [1] * rank
    shape[0], shape[axis + 1] = values.shape
    return values.reshape(shape)


def same_units(forms: Sequence[Any]) -> bool:
    """Whether forms are all replaced in the same channels."""
    first = forms[0]
    return all(
        isinstance(each, Replaced)
        and each.units is first.units
        and each.axis == first.axis
        and each.shape == first.shape
        and each.base.ndim == first.base.ndim
        and each.base.shape[each.axis] == first.base.shape[each.axis]
        and each.vectors is None
        for each in forms
    )
