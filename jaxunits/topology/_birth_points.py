"""The rank at which a map's first hole is born."""

from __future__ import annotations

import functools
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int64, Num

from .._kinds import checks_kinds
from ._edges import checked_maps, edge_ranks, in_float32
from ._found import Found, find, settle
from ._question import Question
from ._ripser import first_births

_MAPS_A_CALL = 4096


@checks_kinds
def birth_points(
    maps: Any,
    *,
    limit: int = 50,
    dimension: int = 1,
    method: str = "auto",
    convention: str = "paper",
    processes: int = 1,
) -> Int64[np.ndarray, "images units"]:
    r"""First rank with a hole in each map's feature topology (Zhao and Zhang 2021, definition 2).

    $$B = \min \{ v : \beta_k(v) \neq 0 \}$$

    A map's rows, which are its columns too, are vertices. Edge (x, y) enters at the rank of
    |max(F(x, y), F(y, x))| (eqs. 2 and 9): its place among the map's distinct values off the
    diagonal, starting with the largest, so that equal values enter together. Zeros never enter. The
    feature topology at a rank is the clique complex of the edges that have entered, and holes are
    counted over the field of two elements. Fewer than 2k + 2 vertices have no hole of dimension k:
    maps of 1×1 to 3×3 have no birth point.

    Args:
      maps: activations of square maps, `[images, height, width, units]`.
      limit: the largest birth point that counts, B_max.
      dimension: k, of the holes, at least 1.
      method: `"kernel"` processes the edges of many maps at once on JAX's device, for k = 1 and
        maps up to 64×64, and passes the rare map that equal values leave undecided to ripser;
        `"ripser"` processes one map after another on the CPU; `"auto"` is the kernel where it
        applies. Both give the same result.
      convention: `"paper"` is as above, and ranks count from 1. `"authors"` is
        what the authors' code does. It orders signed values, max(F(x, y), F(y, x)), including zeros
        and negative ones, which after a ReLU gives the same births. It counts from 0: birth
        points are smaller by 1, a hole at the very first rank counts as none, and `limit` is one
        rank later. And only the first ⌈0.8 · n(n−1)/2⌉ ranks of an n×n map enter, which with the
        default limit matters up to 11×11.
      processes: the number of processes that run ripser if it processes all maps; a script with
        several has to start its work under `if __name__ == "__main__":`.

    Returns:
      Birth points; 0 for none.

    Raises:
      InputError: maps are not square, not finite or not of four axes, a name is unknown, or a
        number is out of range.
    """
    question = Question(limit, dimension, method, convention, processes)
    values = checked_maps(maps)
    images, vertices, _, units = values.shape
    by_kernel = question.by_kernel(vertices)
    if vertices < 2 * dimension + 2 or not images * units:
        return np.zeros((images, units), np.int64)
    if by_kernel:
        ranks = _by_kernel(in_float32(values, signed=question.rules.signed), question)
    else:
        entering = edge_ranks(values, signed=question.rules.signed)
        last = question.last_rank(vertices)
        ranks = first_births(entering, vertices, dimension, last, processes)
    return question.counted(ranks.reshape(images, units))


def _by_kernel(
    maps: Float32[np.ndarray, "images height height units"], question: Question
) -> Int64[np.ndarray, " maps"]:
    """Blocks of images, all of one size."""
    images, vertices, _, units = maps.shape
    block = min(_power_of_two(images), max(1, _MAPS_A_CALL // units))
    limit, signed = question.last_rank(vertices), question.rules.signed

    def births(start: int) -> Int64[np.ndarray, " maps"]:
        part = _filled(maps[start : start + block], block)
        return settle(_find(part, limit, signed), vertices, limit)

    # A block keeps one core of a CPU busy.
    side_by_side = (os.cpu_count() or 1) if jax.default_backend() == "cpu" else 1
    with ThreadPoolExecutor(side_by_side) as pool:
        return np.concatenate(list(pool.map(births, range(0, images, block))))[: images * units]


def _power_of_two(number: int) -> int:
    """The first that is not smaller, so that few programs serve any number of images."""
    return 1 << (number - 1).bit_length()


def _filled(maps: Num[np.ndarray, "images ..."], images: int) -> Num[np.ndarray, "all_images ..."]:
    missing = images - len(maps)
    return np.pad(maps, [(0, missing), *[(0, 0)] * (maps.ndim - 1)]) if missing else maps


@functools.partial(jax.jit, static_argnums=(1, 2))
def _find(maps: Float32[Array, "images height height units"], limit: int, signed: bool) -> Found:
    return find(jnp.asarray(maps), limit, signed=signed)
