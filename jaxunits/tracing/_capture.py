"""The activations of layers while a network is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from ._graph import Graph
from ._program import trace
from ._sites import find_sites


def capture(
    function: Callable[..., PyTree], layers: Sequence[str], *, images: int, training: bool = False
) -> Callable[..., tuple[PyTree, Mapping[str, Array]]]:
    """A function that returns the activations of layers beside its own result.

    Args:
      function: a pure function that calls a module whose submodules name their outputs.
      layers: the layers, by their names or those of other modules that end in the same units.
      images: the number of the argument that holds the images.
      training: whether batch norms take their statistics from the images.

    Returns:
      A function of the same arguments that returns a pair: the result of `function`, and by layer
      the activations `[images, ..., units]`. Derivatives that functions define themselves are kept.
    """

    def captured(*arguments: PyTree) -> tuple[PyTree, Mapping[str, Array]]:
        program = trace(function, *arguments, derivatives=True)
        sites = {}
        for site in find_sites(Graph(program, program.leaves(images)), statistics=training):
            sites.update(dict.fromkeys((site.name, *site.aliases), site))
        count = len(program.outputs)
        wanted = [*program.outputs, *(sites[name].values[0] for name in layers)]
        found = program.values(arguments, wanted)
        moved = {
            name: jnp.moveaxis(value, min(sites[name].axes, default=-1), -1)
            for name, value in zip(layers, found[count:], strict=True)
        }
        return jax.tree.unflatten(program.results, found[:count]), moved

    return captured
