"""A PyTorch module as a function of JAX whose values carry its submodules' names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from ..._optional import check_installed
from ...data import Preprocessing
from ._run import run


@dataclass(frozen=True, eq=False)
class Translated:
    """A module's forward pass in evaluation, as a pure function.

    Attributes:
      name: the module's class.
      forward: from parameters and images `[images, height, width, channels]` to what the module
        gives, in tuples, lists and dictionaries as the module's own. What each submodule's call
        returns is marked with the submodule's path.
      params: parameters and buffers by their names in the state dict. Where two names share a
        weight, `forward` reads one of them.
      modules: the paths that are marked, in order of their first calls.
    """

    name: str
    forward: Callable[[PyTree, Array], Any]
    params: dict[str, Array]
    modules: tuple[str, ...]


def translate(
    module: Any, preprocessing: Preprocessing, *, arguments: Mapping[str, Any] | None = None
) -> Translated:
    """Translate a module through `torch.export`, exact to float32.

    Args:
      module: a `torch.nn.Module` that reads images `[images, channels, height, width]`; it stays
        as it is.
      preprocessing: what it expects of images.
      arguments: keyword arguments of its call.

    Raises:
      InputError: PyTorch is not installed, this is not a module, PyTorch refuses to export it, or
        one of its operations has no translation.
    """
    check_installed("torch", "torch", "a PyTorch module")
    from ._export import IMAGES, export
    from ._program import program_of

    program = program_of(
        export(module, (preprocessing.channels, *preprocessing.size), arguments or {}),
        type(module).__name__,
    )

    def forward(params: PyTree, images: Array) -> Any:
        values = {
            **program.constants,
            **{name: params[key] for name, key in program.weights.items()},
            program.images: jax.lax.transpose(images, (0, 3, 1, 2)),
        }
        return run(program.steps, values, program.output)

    images = jax.ShapeDtypeStruct(
        (IMAGES, *preprocessing.size, preprocessing.channels), jnp.float32
    )
    jax.eval_shape(forward, program.params, images)
    return Translated(type(module).__name__, forward, program.params, program.modules)
