"""Operations that take slices by their indices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Int

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
    most = max(each.ndim for each in given.values())
    places = [
        slice(None) if each is None else each.reshape((1,) * (most - each.ndim) + each.shape)
        for each in indices
    ]
    return x[tuple(places)]


def gather(x: Array, dim: int, indices: Int[Array, ...], *, sparse_grad: bool = False) -> Array:
    """Along an axis, at each place the number that its index names."""
    cut = x[
        tuple(
            slice(None) if axis == dim % x.ndim else slice(size)
            for axis, size in enumerate(indices.shape)
        )
    ]
    return jnp.take_along_axis(cut, indices, dim)


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
    "gather": gather,
    "embedding": embedding,
}
