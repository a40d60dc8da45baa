"""Sets of vertices as bits, for many graphs at once."""

from __future__ import annotations

import functools
import operator

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int32, UInt32

VERTICES_AT_MOST = 64
_WORD = 32

# 32 vertices a word: arrays of two axes, since reductions over the first of two are fastest.
Sets = tuple[UInt32[Array, "..."], ...]


def each_alone(vertices: int) -> Sets:
    """For each vertex the set that holds it alone, `[vertices, 1]`."""
    number = np.arange(vertices)
    words = range(-(-vertices // _WORD))
    bits = [np.where(number // _WORD == word, 1 << number % _WORD, 0) for word in words]
    return tuple(jnp.asarray(each.astype(np.uint32)[:, None]) for each in bits)


def alone(vertex: Int32[Array, " maps"], words: int) -> Sets:
    """The set that holds one vertex of each map alone, `[maps]`."""
    bit = jnp.uint32(1) << (vertex % _WORD).astype(jnp.uint32)
    return tuple(jnp.where(vertex // _WORD == word, bit, 0) for word in range(words))


def meets(one: Sets, other: Sets) -> Bool[Array, ...]:
    """Whether two sets have a vertex in common."""
    common = [(a & b) != 0 for a, b in zip(one, other, strict=True)]
    return functools.reduce(operator.or_, common)


def both(one: Sets, other: Sets) -> Sets:
    """The vertices of either."""
    return tuple(a | b for a, b in zip(one, other, strict=True))


def in_both(one: Sets, other: Sets) -> Sets:
    """The vertices of both."""
    return tuple(a & b for a, b in zip(one, other, strict=True))


def without(one: Sets, other: Sets) -> Sets:
    """The vertices of the first that the second does not hold."""
    return tuple(a & ~b for a, b in zip(one, other, strict=True))


def holds_any(sets: Sets) -> Bool[Array, ...]:
    """Whether a set is not empty."""
    return functools.reduce(operator.or_, sets) != 0


def first_of(sets: Sets) -> Sets:
    """The set that holds the first vertex of a set alone; empty for an empty one."""
    before = jnp.zeros_like(sets[0])
    first = []
    for word in sets:
        first.append(jnp.where(before == 0, word & -word, 0))
        before |= word
    return tuple(first)


def of_vertex(sets: Sets, chosen: Bool[Array, "vertices maps"]) -> Sets:
    """The set of the chosen vertex of each map, `[maps]`; empty where none is chosen."""
    return tuple(jnp.where(chosen, each, 0).max(0) for each in sets)


def where(chosen: Bool[Array, ...], one: Sets, other: Sets) -> Sets:
    """One set or the other."""
    return tuple(jnp.where(chosen, a, b) for a, b in zip(one, other, strict=True))


def for_all(sets: Sets) -> Sets:
    """A set of each map, `[maps]`, next to all its vertices."""
    return tuple(each[None] for each in sets)
