"""From maps to the edges of their graphs, and the ranks at which these enter."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int32, Int64, Num

from .._arguments import as_array
from .._errors import InputError

_AXES = "[images, height, width, units]"
_WITHOUT_SIGN = 0x7FFFFFFF

# The key of edges that never enter, below all others.
NEVER = np.int32(np.iinfo(np.int32).min)


def checked_maps(maps: Any) -> Num[np.ndarray, "images height height units"]:
    """The maps as an array.

    Raises:
      InputError: they are not real numbers, do not have four axes, are not square, or a value is
        NaN or infinite.
    """
    values = as_array(maps, "maps")
    if values.dtype == bool:
        values = values.astype(np.float32)
    real = jnp.issubdtype(values.dtype, jnp.floating) or jnp.issubdtype(values.dtype, jnp.integer)
    if not real:
        raise InputError(f"maps of type {values.dtype}: give real numbers {_AXES}")
    if values.ndim != 4:
        raise InputError(
            f"maps of shape {list(values.shape)}: give {_AXES}; a single map is "
            "map[None, :, :, None]"
        )
    check_square(values.shape[1:3], "maps")
    # The extremes alone: an array of answers to `isfinite` would cost more than the kernel's work.
    if values.size and not np.isfinite([values.min(), values.max()]).all():
        image, row, column, unit = place = tuple(np.argwhere(~np.isfinite(values))[0])
        raise InputError(
            f"maps hold {values[place]} (image {image}, row {row}, column {column}, unit {unit}): "
            "every value has to be a finite number"
        )
    return values


def check_square(shape: tuple[int, ...], place: str) -> None:
    """Refuse maps whose rows and columns cannot be the same vertices.

    Raises:
      InputError: there are no maps, or height and width differ.
    """
    if len(shape) != 2 or shape[0] != shape[1] or not shape[0]:
        size = "×".join(map(str, shape)) if shape else "single numbers"
        raise InputError(
            f"{place} are {size}: feature topology takes the rows and the columns of a map for the "
            "same vertices (Zhao and Zhang 2021, eq. 9), so it has to be square"
        )


def vertex_pairs(vertices: int) -> tuple[np.ndarray, np.ndarray]:
    """The two ends of every edge, in the order of all arrays of edges: (0, 1), (0, 2), …."""
    return np.triu_indices(vertices, 1)


def edge_ranks(
    maps: Num[np.ndarray, "images height height units"], *, signed: bool
) -> Int64[np.ndarray, "images*units edges"]:
    """The rank of each edge of |max(F, Fᵀ)|; 0 for never (Zhao and Zhang 2021, eq. 2 and 9).

    With signs, of max(F, Fᵀ), as the authors' code has it.
    """
    images, side, _, units = maps.shape
    rows, columns = vertex_pairs(side)
    upper, lower = maps[:, rows, columns], maps[:, columns, rows]
    larger = np.maximum(upper, lower)
    edges = np.moveaxis(larger if signed else _sizes(larger), 2, 1)
    return dense_ranks(edges.reshape(images * units, len(rows)), never=None if signed else 0)


def edge_keys(
    maps: Float32[Array, "images height height units"], *, signed: bool
) -> Int32[Array, "edges images*units"]:
    """For each edge an integer, one column per map: larger ones enter earlier, `NEVER` never.

    Floating-point numbers without a sign are in the order of their bits. Integers are compared
    faster, and exactly on devices that take the smallest numbers for 0.
    """
    side = maps.shape[1]
    bits = jax.lax.bitcast_convert_type(maps, jnp.int32)
    sizes = bits & _WITHOUT_SIGN
    keys = jnp.where(bits < 0, -sizes, sizes)
    last = jnp.moveaxis(keys, 0, 2).reshape(side, side, -1)
    rows = [jnp.maximum(last[row, row + 1 :], last[row + 1 :, row]) for row in range(side)]
    edges = jnp.concatenate(rows) if signed else jnp.abs(jnp.concatenate(rows))
    # Where all values enter, the smallest ones complete the full simplex, which has no hole. As
    # they would often be many at once, such as the zeros behind a ReLU, they are spared the walk.
    return jnp.where(edges == (edges.min(0, keepdims=True) if signed else 0), NEVER, edges)


def in_float32(
    maps: Num[np.ndarray, "images height height units"], *, signed: bool
) -> Float32[np.ndarray, "images height height units"]:
    """The maps if float32 can hold them, otherwise integers in the order in which they enter."""
    if np.can_cast(maps.dtype, np.float32):
        return maps.astype(np.float32, copy=False)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        small = maps.astype(np.float32)
        # Compared as what they were: NumPy compares large integers with floats as floats.
        held = np.array_equal(small.astype(maps.dtype), maps)
    if held:
        return small
    images, side, _, units = maps.shape
    values = np.moveaxis(maps, 3, 1).reshape(images * units, -1)
    ranks = dense_ranks(values) if signed else dense_ranks(_sizes(values), never=0)
    numbers = np.where(ranks > 0, side**2 + 1 - ranks, 0).astype(np.float32)
    if not signed:
        numbers = np.where(values < 0, -numbers, numbers)
    return np.moveaxis(numbers.reshape(images, units, side, side), 1, 3)


def _sizes(values: Num[np.ndarray, "*shape"]) -> Num[np.ndarray, "*shape"]:
    """Values without their signs."""
    sizes = np.abs(values)
    # The smallest integer of a type has no counterpart there, but has its bits in the unsigned one.
    return sizes.view(f"u{sizes.itemsize}") if sizes.dtype.kind == "i" else sizes


def dense_ranks(
    values: Num[np.ndarray, "maps values"], *, never: int | np.integer[Any] | None = None
) -> Int64[np.ndarray, "maps values"]:
    """The place of each value among its map's distinct values, falling, from 1 on.

    Args:
      values: of each map.
      never: the value that gets 0 instead, below which there is none.
    """
    order = np.argsort(values, axis=1)[:, ::-1]
    falling = np.take_along_axis(values, order, 1)
    first = np.ones(values.shape, np.int64)
    first[:, 1:] = falling[:, 1:] < falling[:, :-1]
    places = first.cumsum(1)
    if never is not None:
        places[falling == never] = 0
    ranks = np.empty(values.shape, np.int64)
    np.put_along_axis(ranks, order, places, 1)
    return ranks
