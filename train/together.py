"""Several runs that differ only in their seeds, side by side."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

import jaxunits as ju

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


SideBySide = Literal["auto", "vmap", "threads"]


# Below, a CPU spends its time on starting operations rather than on them (measured: MLPs 32-64-64
# and 128-512-2048-2048, 4 seeds as one computation against one after another: 1.20 and 0.85).
_SMALL = 2**17


def lanes(runs: int, how: SideBySide, network: ju.networks.Classifier) -> list[list[int]]:
    """Which runs are one batched computation; each of the lists is one.

    Args:
      runs: how many there are.
      how: `"vmap"`: all are one. `"threads"`: each is its own, with the same numbers as alone.
        `"auto"`: vmap, except on CPUs, where only small dense networks gain from it; XLA's
        convolutions with a kernel for each run take several times as long there as one run after
        another.
      network: one of them.
    """
    if how == "vmap" or (how == "auto" and _gains_by_vmap(network)):
        return [list(range(runs))]
    return [[run] for run in range(runs)]


def _gains_by_vmap(network: ju.networks.Classifier) -> bool:
    if jax.default_backend() != "cpu":
        return True
    shapes = [leaf.shape for leaf in jax.tree.leaves(network.params)]
    dense = all(len(shape) <= 2 for shape in shapes)
    return dense and sum(map(math.prod, shapes)) <= _SMALL


def batched(function: Callable[..., Any], runs: int, shared: Sequence[bool]) -> Callable[..., Any]:
    """A function of one run as a function of several, by `jax.vmap`.

    Args:
      function: of one run.
      runs: how many there are; a single one has no axis of its own.
      shared: for each argument whether all runs share it; the others get a leading axis `[runs]`.
    """
    if runs == 1:
        return function
    return jax.vmap(function, in_axes=tuple(None if each else 0 for each in shared))


def in_threads(act: Callable[[_Item], _Result], items: Sequence[_Item]) -> list[_Result]:
    """`act` of every item, at the same time where that is safe.

    Programs of several devices are started one after another: started from several threads, they
    could wait for each other forever.
    """
    if len(items) == 1 or jax.device_count() > 1:
        return [act(item) for item in items]
    with ThreadPoolExecutor(min(len(items), os.cpu_count() or 1)) as pool:
        return list(pool.map(act, items))


def stack(trees: Sequence[PyTree]) -> PyTree:
    """Trees of one shape as one, with a leading axis; a single one as it is."""
    if len(trees) == 1:
        return trees[0]
    return jax.tree.map(_stack, *trees)


def _stack(*leaves: Any) -> Any:
    return np.stack(leaves) if isinstance(leaves[0], np.ndarray) else jnp.stack(leaves)


def one_of(tree: PyTree, run: int, runs: int) -> PyTree:
    """The tree of one of several runs."""
    return tree if runs == 1 else jax.tree.map(lambda leaf: leaf[run], tree)
