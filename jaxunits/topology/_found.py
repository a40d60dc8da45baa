"""First holes of many maps: by the kernel in pieces, and by ripser where ties remain."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int, Int32, Int64

from ._edges import NEVER, dense_ranks, edge_keys
from ._kernel import Walk, before_all_edges, walk_on
from ._ripser import first_births
from ._ties import walk_on_with_ties

# On CPUs what a step reads should stay in the cache; elsewhere few large steps are faster.
_MAPS_AT_ONCE = {"cpu": 256}
_MAPS_AT_ONCE_ELSEWHERE = 65536
# With so many edges more than vertices most maps are through; the others are gathered, so that
# the rest does not wait for them.
_EDGES_BEYOND_VERTICES = 2
_AGAIN_AT_ONCE = {"cpu": 128}
_AGAIN_AT_ONCE_ELSEWHERE = 8192
# For fewer maps ripser is as fast.
_TIES_AT_LEAST = 16


class Found(NamedTuple):
    """What a device has found, and what is needed to settle the rest.

    Attributes:
      walk: of all maps, so far.
      keys: of their edges.
    """

    walk: Walk
    keys: Int32[Array, "edges maps"]


def find(maps: Float32[Array, "images height height units"], limit: int, *, signed: bool) -> Found:
    """First holes by the kernel, piece by piece; can be part of a larger program."""
    images, vertices, _, units = maps.shape
    keys = edge_keys(maps, signed=signed)
    many = images * units
    at_once = min(_MAPS_AT_ONCE.get(jax.default_backend(), _MAPS_AT_ONCE_ELSEWHERE), many)
    pieces = -(-many // at_once)
    filling = ((0, 0), (0, pieces * at_once - many))
    padded = jnp.pad(keys, filling, constant_values=NEVER)
    split = padded.reshape(len(keys), pieces, at_once).swapaxes(0, 1)
    start = before_all_edges(vertices, at_once)
    steps = vertices + _EDGES_BEYOND_VERTICES
    walks = jax.lax.map(lambda piece: walk_on(piece, start, vertices, limit, steps), split)

    def joined(pieces: Array) -> Array:
        last = jnp.moveaxis(pieces, 0, -2)
        return last.reshape(*last.shape[:-2], -1)[..., :many]

    return Found(jax.tree.map(joined, walks), keys)


def settle(found: Found, vertices: int, limit: int) -> Int64[np.ndarray, " maps"]:
    """First holes of all maps; only those still unknown are processed further."""
    births = np.array(found.walk.births, np.int64)
    tied = np.array(found.walk.tied)
    for chosen, part in _parts(found, np.flatnonzero(found.walk.walking)):
        further = _to_the_end(part, vertices, limit)
        births[chosen] = np.asarray(further.births)[: len(chosen)]
        tied[chosen] = np.asarray(further.tied)[: len(chosen)]
    some = np.flatnonzero(tied)
    for chosen, part in _parts(found, some):
        left = np.arange(len(chosen))
        if len(some) >= _TIES_AT_LEAST:
            further = _with_ties(part, vertices, limit)
            births[chosen] = np.asarray(further.births)[: len(chosen)]
            left = np.flatnonzero(np.asarray(further.tied)[: len(chosen)])
        ranks = dense_ranks(np.asarray(part.keys).T[left], never=NEVER)
        births[chosen[left]] = first_births(ranks, vertices, 1, limit, processes=1)
    return births


def _parts(
    found: Found, chosen: Int64[np.ndarray, " chosen"]
) -> Iterator[tuple[Int64[np.ndarray, " some"], Found]]:
    """Some maps, padded with the first of them, so that one program serves any number."""
    at_once = _AGAIN_AT_ONCE.get(jax.default_backend(), _AGAIN_AT_ONCE_ELSEWHERE)
    for start in range(0, len(chosen), at_once):
        some = chosen[start : start + at_once]
        yield some, _take(found, np.resize(some, at_once))


@jax.jit
def _take(found: Found, chosen: Int[Array, " chosen"]) -> Found:
    return jax.tree.map(lambda array: array[..., chosen], found)


@functools.partial(jax.jit, static_argnums=(1, 2))
def _to_the_end(found: Found, vertices: int, limit: int) -> Walk:
    return walk_on(found.keys, found.walk, vertices, limit, len(found.keys))


@functools.partial(jax.jit, static_argnums=(1, 2))
def _with_ties(found: Found, vertices: int, limit: int) -> Walk:
    nothing = jnp.zeros_like(found.walk.tied)
    walk = found.walk._replace(walking=~nothing, tied=nothing)
    return walk_on_with_ties(found.keys, walk, vertices, limit)
