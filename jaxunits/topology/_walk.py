"""How far a walk along the edges of many maps has come, from the strongest edge on."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int32

from ._graph import Sets, each_alone

_ABOVE_ALL = np.iinfo(np.int32).max


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
