"""What the calls of a module's submodules return, recorded in the graph that PyTorch exports."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils import _pytree as pytree

OPERATION = "jaxunits.module_output.default"


@contextlib.contextmanager
def recorded_calls(module: torch.nn.Module) -> Iterator[None]:
    """Within, what each submodule's call returns is recorded with the submodule's path.

    Calls that return several tensors, and what computes weights (`torch.nn.utils.parametrize`), are
    left out.
    """
    hooks = [
        submodule.register_forward_hook(functools.partial(_record, path=path))
        for path, submodule in module.named_modules()
        if path and ".parametrizations." not in f".{path}."
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _record(_: torch.nn.Module, __: Any, output: Any, *, path: str) -> None:
    tensors = [leaf for leaf in pytree.tree_leaves(output) if isinstance(leaf, torch.Tensor)]
    if len(tensors) == 1:
        _operation()(tensors[0], path)


@functools.cache
def _operation() -> Callable[[torch.Tensor, str], None]:
    """An operation that computes nothing, and that PyTorch keeps in the graph nevertheless."""

    def nothing(value: torch.Tensor, path: str) -> None:
        return None

    namespace, name = OPERATION.split(".")[:2]
    operation = f"{namespace}::{name}"
    torch.library.define(operation, "(Tensor value, str path) -> ()")
    torch.library.impl(operation, "default")(nothing)
    torch.library.register_fake(operation)(nothing)
    overload = getattr(getattr(torch.ops, namespace), name).default
    torch.fx.node.has_side_effect(overload)
    return overload
