"""The first hole of maps in which several edges enter together."""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int32

from ._edges import NEVER, vertex_pairs
from ._graph import (
    Sets,
    both,
    each_alone,
    first_of,
    for_all,
    holds_any,
    in_both,
    meets,
    of_vertex,
    where,
    without,
)
from ._kernel import Walk


def walk_on_with_ties(
    keys: Int32[Array, "edges maps"], walk: Walk, vertices: int, limit: int
) -> Walk:
    """As `walk_on`, but equal keys enter in the order that makes the fewest holes.

    Of edges that enter together those with a common neighbor go first, all at once, since each
    keeps its common neighbors whatever else enters, and, one at a time, those that join two
    components. If nothing is left, no edge has made a hole. Otherwise the edges left join connected
    vertices without a common neighbor, and there is a hole if one of them has none in the end
    either: entering last it makes one. There is also a hole if no three of them make a triangle:
    the cochain that is 1 on them and 0 on all others is a cocycle, since no triangle has one or
    three of them, and no coboundary, since their ends are connected without them. Otherwise it is
    undecided.
    """
    every = each_alone(vertices)
    table = _table(keys, vertices)

    def step(walk: Walk) -> Walk:
        entering = _entering(table, walk, every)
        linked = in_both(entering, _near(walk.neighbors, every))
        ends = _ends_of_first(without(entering, walk.component), every)
        added = both(linked, where(meets(every, ends), without(ends, every), _none(linked)))
        left = _any(without(entering, added))
        stuck = walk.walking & left & ~_any(added)
        done = walk.walking & ~left
        below = jnp.where(keys < walk.key[None], keys, NEVER).max(0)
        key = jnp.where(done, below, walk.key)
        rank = walk.rank + done
        return Walk(
            key=key,
            rank=rank,
            neighbors=where(walk.walking[None], both(walk.neighbors, added), walk.neighbors),
            component=_joined(walk.component, ends, every),
            walking=walk.walking & ~stuck & (key > NEVER) & (rank <= limit),
            hole=walk.hole,
            tied=walk.tied | stuck,
        )

    end = jax.lax.while_loop(lambda walk: walk.walking.any(), step, walk)
    filled = _may_be_filled(_entering(table, end, every), end.neighbors, every)
    return end._replace(hole=end.tied & ~filled, tied=end.tied & filled)


def _table(
    keys: Int32[Array, "edges maps"], vertices: int
) -> Int32[Array, "vertices vertices maps"]:
    """Keys by both vertices, `NEVER` on the diagonal."""
    edge = np.full((vertices, vertices), len(keys))
    rows, columns = vertex_pairs(vertices)
    edge[rows, columns] = edge[columns, rows] = np.arange(len(keys))
    return jnp.concatenate([keys, jnp.full_like(keys[:1], NEVER)])[edge]


def _entering(table: Int32[Array, "vertices vertices maps"], walk: Walk, every: Sets) -> Sets:
    """For each vertex the other ends of its edges that enter now and are not there yet."""
    now = _gathered(every, lambda vertex: table[:, vertex] == walk.key[None])
    return without(now, walk.neighbors)


def _near(sets: Sets, every: Sets) -> Sets:
    """For each vertex those whose set meets its own."""
    return _gathered(every, lambda vertex: meets(sets, tuple(each[vertex][None] for each in sets)))


def _gathered(every: Sets, chosen: Callable[[int], Bool[Array, "vertices maps"]]) -> Sets:
    """For each vertex the set of those of which a function of their number is true.

    One after another, since XLA makes one loop of that for CPUs, without arrays of pairs.
    """
    vertices = range(len(every[0]))
    alone = (_only_where(chosen(vertex), every, vertex) for vertex in vertices)
    return functools.reduce(both, alone)


def _only_where(chosen: Bool[Array, "vertices maps"], every: Sets, vertex: int) -> Sets:
    return tuple(jnp.where(chosen, each[vertex][None], 0) for each in every)


def _none(sets: Sets) -> Sets:
    return tuple(jnp.zeros_like(each) for each in sets)


def _any(sets: Sets) -> Bool[Array, " maps"]:
    """Whether a vertex of a map has anything in its set."""
    return holds_any(sets).any(0)


def _ends_of_first(edges: Sets, every: Sets) -> Sets:
    """Both ends of the first edge of each map, from the sets of each vertex; none without one."""
    x = first_of(_bits(holds_any(edges), every))
    y = first_of(of_vertex(edges, meets(every, for_all(x))))
    return for_all(both(x, y))


def _bits(chosen: Bool[Array, "vertices maps"], every: Sets) -> Sets:
    """The set of the chosen vertices of each map."""
    return tuple(jnp.where(chosen, each, 0).sum(0, dtype=jnp.uint32) for each in every)


def _may_be_filled(entering: Sets, neighbors: Sets, every: Sets) -> Bool[Array, " maps"]:
    """Whether all edges left have a common neighbor in the end, and three make a triangle."""
    final = both(neighbors, entering)
    lonely = _any(without(entering, _near(final, every)))
    return ~lonely & _any(in_both(entering, _near(entering, every)))


def _joined(component: Sets, ends: Sets, every: Sets) -> Sets:
    """Components after an edge, if there is one, has joined two of them."""
    either = meets(component, ends)
    return where(either, for_all(_bits(either, every)), component)
