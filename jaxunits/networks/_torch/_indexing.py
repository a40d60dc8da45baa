"""Operations that take slices by their indices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Int

from ._shapes import take_slice
from ._unsupported import UnsupportedError


def take(x: Array, indices: Int[Array | np.ndarray, " taken"], axis: int) -> Array:
    """Slices along an axis; indices that are known and equally far apart make no gather."""
    if isinstance(indices, jax.core.Tracer):
        return jnp.take(x, indices, axis=axis)
    known = np.asarray(indices) % x.shape[axis]
    steps = np.unique(np.diff(known))
    if len(steps) > 1 or not known.size or (steps.size and steps[0] == 0):
        return jnp.take(x, known, axis=axis)
    step = int(steps[0]) if steps.size else 1
    low, high = int(known.min()), int(known.max())
    taken = lax.slice_in_dim(x, low, high + 1, abs(step), axis)
    return lax.rev(taken, [axis]) if step < 0 else taken


def index_select(x: Array, dim: int, indices: Int[Array, ...]) -> Array:
    """Slices along an axis."""
    return take(x, indices.reshape(-1), dim % x.ndim)


def index(x: Array, indices: Sequence[Array | None]) -> Array:
    """Numbers by their indices along several axes, which broadcast."""
    given = {axis: each for axis, each in enumerate(indices) if each is not None}
    if any(each.dtype == bool for each in given.values()):
        raise UnsupportedError("a choice by truth values")
    if len(given) == 1:
        ((axis, each),) = given.items()
        flat = take(x, each.reshape(-1), axis)
        return flat.reshape(*x.shape[:axis], *each.shape, *x.shape[axis + 1 :])
    return x[_places(indices)]


def with_indexed(
    x: Array, indices: Sequence[Array | None], values: Array, accumulate: bool = False
) -> Array:
    """The array with other numbers at some places, or with these added there."""
    given = [each for each in indices if each is not None]
    if any(each.dtype == bool for each in given):
        # As many places as there are truths, unless one number goes to all of them.
        if accumulate or values.size != 1 or len(given) > 1 or indices[0] is None:
            raise UnsupportedError("a choice by truth values")
        truths = given[0].reshape(given[0].shape + (1,) * (x.ndim - given[0].ndim))
        return jnp.where(truths, values.reshape(()), x)
    at = x.at[_places(indices)]
    return at.add(values) if accumulate else at.set(values)


def _places(indices: Sequence[Array | None]) -> tuple[Any, ...]:
    """Indices as they are written in brackets."""
    most = max(each.ndim for each in indices if each is not None)
    return tuple(
        slice(None) if each is None else each.reshape((1,) * (most - each.ndim) + each.shape)
        for each in indices
    )


def gather(x: Array, dim: int, indices: Int[Array, ...], *, sparse_grad: bool = False) -> Array:
    """Along an axis, at each place the number that its index names."""
    cut = x[
        tuple(
            slice(None) if axis == dim % x.ndim else slice(size)
            for axis, size in enumerate(indices.shape)
        )
    ]
    return jnp.take_along_axis(cut, indices, dim)


def scatter(x: Array, dim: int, indices: Int[Array, ...], source: Array | float) -> Array:
    """The reverse of `gather`: the array with other numbers at the places that indices name."""
    return x.at[_named(x, dim, indices)].set(_cut(source, indices))


def scatter_add(x: Array, dim: int, indices: Int[Array, ...], source: Array) -> Array:
    """The array with numbers added at the places that indices name."""
    return x.at[_named(x, dim, indices)].add(_cut(source, indices))


def _named(x: Array, dim: int, indices: Int[Array, ...]) -> tuple[Array, ...]:
    """For each of the indices, the place that it names along an axis, and its own on the others."""
    places = jnp.indices(indices.shape, sparse=True)
    return (*places[: dim % x.ndim], indices, *places[dim % x.ndim + 1 :])


def _cut(source: Array | float, indices: Int[Array, ...]) -> Any:
    """As much of the source as there are indices."""
    if not isinstance(source, jax.Array) or not source.ndim:
        return source
    return source[tuple(map(slice, indices.shape))]


def sort(x: Array, dim: int = -1, descending: bool = False) -> list[Array]:
    """Numbers in order along an axis, and where each was."""
    order = jnp.argsort(x, axis=dim, descending=descending)
    return [jnp.take_along_axis(x, order, dim), order]


def topk(x: Array, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> list[Array]:  # noqa: A002
    """The largest or smallest numbers along an axis, in order, and where each was."""
    del sorted
    return [take_slice(each, dim, 0, k) for each in sort(x, dim, largest)]


def embedding(
    weight: Array,
    indices: Int[Array, ...],
    padding_idx: int = -1,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Array:
    """Rows by their indices; what else can be set only concerns gradients."""
    return index(weight, [indices])


RULES: dict[str, Callable[..., Any]] = {
    "index_select": index_select,
    "index": index,
    "_unsafe_index": index,
    "index_put": with_indexed,
    "_unsafe_index_put": with_indexed,
    "gather": gather,
    "scatter.src": scatter,
    "scatter.value": scatter,
    "scatter_add": scatter_add,
    "sort": sort,
    "topk": topk,
    "embedding": embedding,
}
