"""Operations that move numbers without changing them, and arrays made from nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from ._elementwise import Operand


def transpose(x: Array, first: int, second: int) -> Array:
    """Two axes swapped."""
    axes = list(range(x.ndim))
    axes[first], axes[second] = axes[second], axes[first]
    return lax.transpose(x, axes)


def permute(x: Array, axes: Sequence[int]) -> Array:
    """Axes in another order."""
    return lax.transpose(x, [axis % x.ndim for axis in axes])


def expand(x: Array, sizes: Sequence[int], *, implicit: bool = False) -> Array:
    """Repeated along axes of size 1, and along new ones in front."""
    new = len(sizes) - x.ndim
    shape = [x.shape[axis - new] if size == -1 else size for axis, size in enumerate(sizes)]
    return lax.broadcast_in_dim(x, shape, range(new, len(sizes)))


def repeat(x: Array, counts: Sequence[int]) -> Array:
    """Copies side by side."""
    return jnp.tile(x, counts)


def squeeze(x: Array, dim: int | Sequence[int] | None = None) -> Array:
    """Axes of size 1 left out."""
    axes = range(x.ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    return lax.squeeze(x, [axis % x.ndim for axis in axes if x.shape[axis] == 1])


def unsqueeze(x: Array, dim: int) -> Array:
    """A new axis of size 1."""
    return lax.expand_dims(x, [dim % (x.ndim + 1)])


def concatenate(arrays: Sequence[Array], dim: int = 0) -> Array:
    """Side by side along an axis; as in PyTorch an empty vector is left out."""
    arrays = [array for array in arrays if array.shape != (0,)]
    kind = jnp.result_type(*arrays)
    return lax.concatenate([array.astype(kind) for array in arrays], dim % arrays[0].ndim)


def stack(arrays: Sequence[Array], dim: int = 0) -> Array:
    """Side by side along a new axis."""
    return concatenate([unsqueeze(array, dim) for array in arrays], dim)


def split(x: Array, sizes: int | Sequence[int], dim: int = 0) -> list[Array]:
    """Pieces along an axis, of these sizes."""
    length = x.shape[dim]
    if isinstance(sizes, int):
        sizes = [min(sizes, length - start) for start in range(0, length, sizes)]
    stops = list(itertools.accumulate(sizes))
    return [
        lax.slice_in_dim(x, stop - size, stop, axis=dim % x.ndim)
        for size, stop in zip(sizes, stops, strict=True)
    ]


def unbind(x: Array, dim: int = 0) -> list[Array]:
    """The slices along an axis, without it."""
    return [select(x, dim, position) for position in range(x.shape[dim])]


def take_slice(
    x: Array, dim: int = 0, start: int | None = None, stop: int | None = None, step: int = 1
) -> Array:
    """Every `step`-th slice along an axis."""
    start, stop, step = slice(start, stop, step).indices(x.shape[dim])
    return lax.slice_in_dim(x, start, max(start, stop), step, dim % x.ndim)


def select(x: Array, dim: int, position: int) -> Array:
    """One slice along an axis, without it."""
    return lax.index_in_dim(x, position, dim % x.ndim, keepdims=False)


def with_slice(
    x: Array,
    source: Array,
    dim: int = 0,
    start: int | None = None,
    stop: int | None = None,
    step: int = 1,
) -> Array:
    """The array with other slices along an axis."""
    taken = range(*slice(start, stop, step).indices(x.shape[dim]))
    pieces = []
    for position in range(x.shape[dim]):
        inside = position in taken
        at = taken.index(position) if inside else position
        pieces.append(take_slice(source if inside else x, dim, at, at + 1))
    return concatenate(pieces, dim)


def with_selected(x: Array, source: Array, dim: int, position: int) -> Array:
    """The array with another slice at one position of an axis."""
    position %= x.shape[dim]
    return with_slice(x, unsqueeze(source, dim), dim, position, position + 1)


def flip(x: Array, dims: Sequence[int]) -> Array:
    """Axes reversed."""
    return lax.rev(x, [axis % x.ndim for axis in dims])


def roll(x: Array, shifts: Sequence[int] | int, dims: Sequence[int] | int = ()) -> Array:
    """Slices moved along axes; what leaves at one end comes in at the other."""
    shifts = (shifts,) if isinstance(shifts, int) else shifts
    dims = (dims,) if isinstance(dims, int) else dims
    if not dims:
        return roll(x.reshape(-1), shifts, (0,)).reshape(x.shape)
    for shift, dim in zip(shifts, dims, strict=True):
        cut = -shift % x.shape[dim]
        x = concatenate([take_slice(x, dim, cut), take_slice(x, dim, 0, cut)], dim)
    return x


def pad(x: Array, sizes: Sequence[int], value: Operand = 0) -> Array:
    """Constant numbers at both ends of the last axes; sizes below 0 cut off."""
    pairs = [(sizes[at], sizes[at + 1], 0) for at in range(0, len(sizes), 2)]
    untouched = [(0, 0, 0)] * (x.ndim - len(pairs))
    return lax.pad(x, jnp.asarray(value, x.dtype), [*untouched, *reversed(pairs)])


def full(size: Sequence[int], value: Operand, *, dtype: Any = None) -> Array:
    """One number everywhere."""
    return jnp.full(tuple(size), value, dtype)


def full_like(x: Array, value: Operand, *, dtype: Any = None) -> Array:
    """One number everywhere, in the shape of another array."""
    return jnp.full(x.shape, value, dtype or x.dtype)


def new_full(x: Array, size: Sequence[int], value: Operand, *, dtype: Any = None) -> Array:
    """One number everywhere, in the type of another array."""
    return jnp.full(tuple(size), value, dtype or x.dtype)


def scalar(value: Operand, *, dtype: Any = None) -> Array:
    """A number as an array."""
    return jnp.asarray(value, dtype)


def arange(start: Operand, stop: Operand, step: Operand = 1, *, dtype: Any = None) -> Array:
    """Numbers at equal distances."""
    return jnp.arange(start, stop, step, dtype=dtype)


def size_of(x: Array, dim: int) -> int:
    """The length of an axis."""
    return x.shape[dim]


RULES: dict[str, Callable[..., Any]] = {
    "view": jnp.reshape,
    "reshape": jnp.reshape,
    "_unsafe_view": jnp.reshape,
    "permute": permute,
    "transpose": transpose,
    "t": lambda x: lax.transpose(x, range(x.ndim)[::-1]),
    "expand": expand,
    "repeat": repeat,
    "squeeze": squeeze,
    "unsqueeze": unsqueeze,
    "cat": concatenate,
    "stack": stack,
    "split": split,
    "split_with_sizes": split,
    "unbind": unbind,
    "slice": take_slice,
    "select": select,
    "slice_scatter": with_slice,
    "select_scatter": with_selected,
    "flip": flip,
    "roll": roll,
    "constant_pad_nd": pad,
    "full": full,
    "full_like": full_like,
    "new_full": new_full,
    "fill": full_like,
    "zeros": lambda size, *, dtype=None: full(size, 0, dtype=dtype or jnp.float32),
    "ones": lambda size, *, dtype=None: full(size, 1, dtype=dtype or jnp.float32),
    "empty": lambda size, *, dtype=None: full(size, 0, dtype=dtype or jnp.float32),
    "zeros_like": lambda x, *, dtype=None: full_like(x, 0, dtype=dtype),
    "ones_like": lambda x, *, dtype=None: full_like(x, 1, dtype=dtype),
    "scalar_tensor": scalar,
    "arange": arange,
    "arange.default": lambda stop, *, dtype=None: jnp.arange(stop, dtype=dtype),
    "sym_size": size_of,
}
