"""The first hole of every map, edge by edge."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Int32

from ._edges import NEVER, vertex_pairs
from ._graph import Sets, alone, both, each_alone, for_all, meets, of_vertex, where

_ABOVE_ALL = np.iinfo(np.int32).max
_SHIFT = 8
_LAST = 2**_SHIFT - 1
_ONE_EDGE = 1 << 2 * _SHIFT
# No vertex has this number.
_NOBODY = _LAST


class Walk(NamedTuple):
    """Where the walk along the edges of each map is.

    Attributes:
      key: of the edges that entered last, or are entering.
      rank: theirs.
      neighbors: of each vertex.
      component: the vertices that each vertex is connected to, itself among them.
      walking: false once the first hole is there, cannot appear any more or is undecided.
      hole: true once it is there.
      tied: true where it is undecided, since edges enter together: all is as before these.
    """

    key: Int32[Array, " maps"]
    rank: Int32[Array, " maps"]
    neighbors: Sets
    component: Sets
    walking: Bool[Array, " maps"]
    hole: Bool[Array, " maps"]
    tied: Bool[Array, " maps"]

    @property
    def births(self) -> Int32[Array, " maps"]:
        """The rank of the first hole; 0 for none, or where it is not known."""
        return jnp.where(self.hole, self.rank, 0)


def before_all_edges(vertices: int, maps: int) -> Walk:
    """Vertices alone."""
    none = jnp.zeros(maps, jnp.int32)
    component = tuple(jnp.broadcast_to(each, (vertices, maps)) for each in each_alone(vertices))
    return Walk(
        key=none + _ABOVE_ALL,
        rank=none,
        neighbors=tuple(jnp.zeros_like(each) for each in component),
        component=component,
        walking=none == 0,
        hole=none != 0,
        tied=none != 0,
    )


def walk_on(
    keys: Int32[Array, "edges maps"], walk: Walk, vertices: int, limit: int, steps: int
) -> Walk:
    """Look for the first rank at which an edge joins connected vertices that share no neighbor.

    That edge makes the first hole of the clique complex. For let e = (x, y) enter a complex K
    without holes, with all cliques that it completes: e's star is glued to K along the suspension
    of the link L, the cliques of the common neighbors of x and y. By Mayer–Vietoris a hole can
    come only if L is empty, and then does if and only if x and y are connected already.

    Args:
      keys: of the edges (0, 1), (0, 2), …, (1, 2), …; larger ones enter earlier, `NEVER` never.
      walk: how far each map has come.
      vertices: how many there are, at most 64.
      limit: the last rank that counts.
      steps: how many edges are looked at, at most.
    """
    rows, columns = vertex_pairs(vertices)
    edges = jnp.asarray((_ONE_EDGE | rows << _SHIFT | columns)[:, None], jnp.int32)
    numbers = jnp.arange(vertices, dtype=jnp.int32)[:, None]
    every = each_alone(vertices)

    def step(walk: Walk) -> Walk:
        # Two passes over all edges are faster than a sort, as few come before the first hole.
        key = jnp.where(keys < walk.key[None], keys, NEVER).max(0)
        # One sum says which edge it is and, beyond its two vertices, whether it is the only one.
        edge = jnp.where(keys == key[None], edges, 0).sum(0, dtype=jnp.int32)
        rank = walk.rank + walk.walking
        going = walk.walking & (key > NEVER) & (rank <= limit)
        tied = going & (edge >= 2 * _ONE_EDGE)
        # A map that is tied stays as it was before the edges that enter together.
        stays = walk.tied | tied
        x, y = (jnp.where(stays, _NOBODY, end) for end in (edge >> _SHIFT & _LAST, edge & _LAST))
        at_x, at_y = numbers == x[None], numbers == y[None]
        set_x, set_y = (alone(each, len(every)) for each in (x, y))
        with_x = of_vertex(walk.component, at_x)
        joined = both(with_x, of_vertex(walk.component, at_y))
        linked = meets(of_vertex(walk.neighbors, at_x), of_vertex(walk.neighbors, at_y))
        hole = going & ~tied & ~linked & meets(with_x, set_y)
        nothing = tuple(jnp.zeros_like(each) for each in for_all(set_x))
        added = both(where(at_x, for_all(set_y), nothing), where(at_y, for_all(set_x), nothing))
        return Walk(
            key=jnp.where(walk.tied, walk.key, key),
            rank=rank,
            neighbors=both(walk.neighbors, added),
            component=where(meets(every, for_all(joined)), for_all(joined), walk.component),
            walking=going & ~hole & ~tied,
            hole=walk.hole | hole,
            tied=stays,
        )

    def goes_on(state: tuple[Int[Array, ""], Walk]) -> Bool[Array, ""]:
        done, walk = state
        return walk.walking.any() & (done < steps)

    start = (jnp.int32(0), walk)
    return jax.lax.while_loop(goes_on, lambda state: (state[0] + 1, step(state[1])), start)[1]
