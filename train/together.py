"""Several runs that differ in their seeds alone, as one program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

import jaxunits as ju


def together(
    function: Callable[..., Any], runs: int, shared: Sequence[bool], *, batched: bool
) -> Callable[..., Any]:
    """A function of one run as a function of several.

    Args:
      function: of one run.
      runs: how many there are; a single one has no axis of its own.
      shared: for each argument whether all runs share it; the others get a leading axis `[runs]`.
      batched: whether one batched computation serves them all. Otherwise each has its own, side by
        side in one program, which is faster where batched convolutions are slow.
    """
    if runs == 1:
        return function
    if batched:
        return jax.vmap(function, in_axes=tuple(None if each else 0 for each in shared))

    def side_by_side(*arguments: PyTree) -> PyTree:
        results = [
            function(
                *(
                    argument if each else one_of(argument, run, runs)
                    for argument, each in zip(arguments, shared, strict=True)
                )
            )
            for run in range(runs)
        ]
        return stack(results)

    return side_by_side


def batched_is_faster(network: ju.networks.Network) -> bool:
    """Whether one batched computation is the faster way for several runs of a network here.

    On CPUs XLA has no fast convolution with a kernel for each run.
    """
    dense = all(len(layer.map_shape or ()) == 0 for layer in network.layers.values())
    return dense or jax.default_backend() != "cpu"


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
