"""An exported graph as plain steps, each with the rule that computes it in JAX."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax.numpy as jnp
import torch

from ...tracing._marks import module_output
from ._calls import OPERATION
from ._rules import RULES
from ._run import Step, Value, no_translation

# A large array of one number is no constant to keep: the program fills it.
_FILLED = {"full", "full_like", "zeros", "zeros_like", "ones", "ones_like", "empty", "new_full"}
_ASSERTIONS = ("_assert", "sym_constrain_range", "_functional_assert", "_functional_sym_constrain")
_DROPPED = ("device", "layout", "memory_format", "pin_memory", "non_blocking")
_SIZES: dict[str, Callable[..., Any]] = {
    "sym_float": float,
    "sym_int": int,
    "sym_max": max,
    "sym_min": min,
    "sym_not": operator.not_,
    "_sym_sqrt": math.sqrt,
}


def steps_of(graph: Any, name: str, constants: Iterable[str]) -> tuple[Step, ...]:
    """The operations of a graph, in order.

    Args:
      graph: the graph of an exported program.
      name: what its module is called.
      constants: the inputs that are neither images nor weights.

    Raises:
      InputError: operations have no rule.
    """
    nodes = [node for node in graph.nodes if node.op == "call_function" and not _asserts(node)]
    nodes = [node for node in nodes if not _is_mark(node) or _is_new(node)]
    rules = [_rule(node) for node in nodes]
    unknown = [_place(node, name) for node, rule in zip(nodes, rules, strict=True) if rule is None]
    if unknown:
        raise no_translation(" and ".join(dict.fromkeys(unknown)))
    known = set(constants)
    steps = []
    for node, rule in zip(nodes, rules, strict=True):
        constant = all(each.name in known for each in node.all_input_nodes)
        if constant and _packet(node) not in _FILLED:
            known.add(node.name)
        if rule is not None:
            steps.append(_step(node, rule, name, node.name in known))
    return tuple(steps)


def plain(argument: Any) -> Any:
    """An argument of a node without PyTorch's own types."""
    if isinstance(argument, torch.fx.Node):
        return Value(argument.name)
    if isinstance(argument, list | tuple):
        return tuple(map(plain, argument))
    if isinstance(argument, torch.dtype):
        return jnp.dtype(_types().get(argument, str(argument).removeprefix("torch.")))
    return argument


def marked_paths(graph: Any) -> tuple[str, ...]:
    """The paths of the submodules whose calls are recorded, in order of their first calls."""
    paths = [node.args[1] for node in graph.nodes if _is_mark(node) and _is_new(node)]
    return tuple(dict.fromkeys(paths))


def _is_mark(node: Any) -> bool:
    return str(node.target) == OPERATION


def _is_new(mark: Any) -> bool:
    """Whether the call computed what it returned: an identity gives back its input."""
    call = list(_stack(mark))[-1:]
    return all(key in _stack(mark.args[0]) for key in call)


def _stack(node: Any) -> Mapping[str, Any]:
    """The calls that a node is in, from the outermost, each with its path and class."""
    return node.meta.get("nn_module_stack", {})


def _step(node: Any, rule: Callable[..., Any], module: str, constant: bool) -> Step:
    options = {key: plain(value) for key, value in node.kwargs.items() if key not in _DROPPED}
    # A mark takes the place of the value that it names, for all that read it later.
    name = node.args[0].name if rule is module_output else node.name
    return Step(name, rule, plain(node.args), options, _place(node, module), constant)


def _rule(node: Any) -> Callable[..., Any] | None:
    target = str(node.target)
    if _is_mark(node):
        return module_output
    if target.startswith("aten."):
        overload = target.removeprefix("aten.")
        return RULES.get(overload, RULES.get(overload.split(".")[0]))
    if getattr(node.target, "__module__", None) in ("_operator", "math"):
        return node.target
    return _SIZES.get(getattr(node.target, "__name__", ""))


def _packet(node: Any) -> str:
    return str(node.target).removeprefix("aten.").split(".")[0]


def _asserts(node: Any) -> bool:
    return str(node.target).removeprefix("aten.").startswith(_ASSERTIONS)


def _place(node: Any, module: str) -> str:
    stack = list(_stack(node).values())
    path = stack[-1][0].split("@")[0] if stack else ""
    operation = f"aten.{_packet(node)}" if str(node.target).startswith("aten.") else node.target
    return f"operation {operation} of module {path or module!r}"


def _types() -> dict[Any, str]:
    """JAX's types for those of PyTorch that it does not compute in."""
    return {
        torch.int64: "int32",
        torch.float64: "float32",
        torch.bool: "bool",
    }
