"""Persistence of clique filtrations through ripser."""

from __future__ import annotations

import functools
import multiprocessing
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

import numpy as np
from jaxtyping import Float64, Int64

from ._edges import vertex_pairs

_MAPS_AT_ONCE = 256

Result = TypeVar("Result")
Diagrams = list[Float64[np.ndarray, "bars 2"]]


def diagrams_of(
    ranks: Int64[np.ndarray, " edges"], vertices: int, dimension: int, last: int
) -> Diagrams:
    """Birth and death of every hole of one map, in ranks, for each dimension up to one.

    Args:
      ranks: at which each edge enters; 0 for never.
      vertices: how many there are.
      dimension: the highest dimension.
      last: the last rank that is looked at.
    """
    # Imported here because it brings scikit-learn, which takes seconds.
    from ripser import ripser

    end = int(ranks.max(initial=0))
    distances = np.zeros((vertices, vertices), np.float32)
    rows, columns = vertex_pairs(vertices)
    distances[rows, columns] = distances[columns, rows] = np.where(ranks > 0, ranks, end + 1)
    until = min(last, end)
    return ripser(distances, maxdim=dimension, thresh=until, distance_matrix=True)["dgms"]


def first_birth(
    ranks: Int64[np.ndarray, " edges"], vertices: int, dimension: int, limit: int
) -> int:
    """The first rank with a hole of this dimension, up to a limit; 0 for none."""
    births = diagrams_of(ranks, vertices, dimension, limit)[dimension][:, 0]
    return int(births.min()) if len(births) else 0


def first_births(
    ranks: Int64[np.ndarray, "maps edges"],
    vertices: int,
    dimension: int,
    limit: int,
    processes: int,
) -> Int64[np.ndarray, " maps"]:
    """`first_birth` of many maps."""
    one = functools.partial(first_birth, vertices=vertices, dimension=dimension, limit=limit)
    return np.fromiter(over_maps(one, ranks, processes), np.int64, len(ranks))


def over_maps(
    function: Callable[[np.ndarray], Result], maps: np.ndarray, processes: int
) -> Iterable[Result]:
    """A function of each map, in their order, in this process or in several."""
    if processes == 1 or len(maps) <= 1:
        yield from map(function, maps)
        return
    # A fork would copy JAX's threads in the middle of their work.
    context = multiprocessing.get_context("spawn")
    # All are started at once, whether there is work for them or not.
    workers = min(processes, -(-len(maps) // _MAPS_AT_ONCE))
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from pool.map(function, maps, chunksize=_MAPS_AT_ONCE)
