"""NNX modules whose submodules name their outputs."""

from __future__ import annotations

from typing import Any, TypeVar

import jax
from flax import nnx

from .._kinds import checks_kinds
from ..tracing import module_output

Module = TypeVar("Module", bound=nnx.Module)


@checks_kinds
def tagged(module: Module) -> Module:
    """A module, with every submodule's calls naming their outputs by its path (`layer1.0.conv1`).

    Each submodule gets a subclass of its own class, so that `isinstance` holds and calls inside
    `nnx.jit`, `nnx.remat` and `nnx.scan` are named too. A submodule that has several paths is named
    by the first.

    Args:
      module: the module, which is changed; make it inside the function that is traced.

    Returns:
      The module itself.

    Raises:
      InputError: this is not an NNX module.
    """
    for path, part in nnx.iter_modules(module):
        if path and callable(part):
            part.__class__ = _named(type(part), ".".join(map(str, path)))
    return module


def _named(base: type, path: str) -> type:
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        output = base.__call__(self, *args, **kwargs)
        # What gives back what it got, such as dropout in evaluation, has no output of its own.
        passed = any(output is each for each in args)
        named = isinstance(output, jax.Array) and not passed
        return module_output(output, path) if named else output

    return type(base)(base.__name__, (base,), {"__call__": call, "__module__": base.__module__})
