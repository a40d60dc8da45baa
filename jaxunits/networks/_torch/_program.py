"""What PyTorch exports, as plain steps and arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import torch
from jaxtyping import Array
from torch.export.graph_signature import InputKind, OutputKind
from torch.utils import _pytree as pytree

from ._run import Step
from ._steps import marked_paths, plain, steps_of


@dataclass(frozen=True)
class Program:
    """A module's forward pass.

    Attributes:
      steps: its operations, in order.
      images: what the steps call the images.
      weights: what the steps call parameters and buffers, with the names of the state dict.
      constants: other arrays, by what the steps call them.
      params: parameters and buffers by the names of the state dict.
      output: what the module returns, with values by name.
      modules: the paths of submodules whose calls are recorded.
    """

    steps: tuple[Step, ...]
    images: str
    weights: Mapping[str, str]
    constants: Mapping[str, Array]
    params: dict[str, Array]
    output: Any
    modules: tuple[str, ...]


def program_of(exported: torch.export.ExportedProgram, name: str) -> Program:
    """Take over what PyTorch exported, without PyTorch's own types.

    Args:
      exported: the exported module.
      name: what the module is called in messages.

    Raises:
      InputError: operations have no translation.
    """
    inputs = exported.graph_signature.input_specs
    read = {node.name for node in exported.graph.nodes if node.op == "placeholder" and node.users}
    state, kept = exported.state_dict, exported.constants
    weights, constants = {}, {}
    for spec in inputs:
        if spec.arg.name in read and spec.target in state:
            weights[spec.arg.name] = spec.target
        elif spec.arg.name in read and spec.kind is not InputKind.USER_INPUT:
            constants[spec.arg.name] = _array(kept[spec.target])
    return Program(
        steps=steps_of(exported.graph, name, constants),
        images=next(spec.arg.name for spec in inputs if spec.kind is InputKind.USER_INPUT),
        weights=weights,
        constants=constants,
        params={
            key: _array(tensor)
            for key, tensor in state.items()
            if tensor.is_floating_point() or key in weights.values()
        },
        output=_output(exported),
        modules=marked_paths(exported.graph),
    )


def _array(tensor: torch.Tensor) -> Array:
    # A copy: the module's weights may change later.
    return jnp.array(tensor.detach().numpy(), copy=True)


def _output(exported: torch.export.ExportedProgram) -> Any:
    """What the module returns, in tuples, lists and dictionaries."""
    leaves = next(node for node in exported.graph.nodes if node.op == "output").args[0]
    given = [
        plain(leaf)
        for leaf, spec in zip(leaves, exported.graph_signature.output_specs, strict=True)
        if spec.kind is OutputKind.USER_OUTPUT
    ]
    return _unregistered(pytree.tree_unflatten(given, exported.call_spec.out_spec))


def _unregistered(output: Any) -> Any:
    """Containers that JAX does not know, such as a library's own kinds of dictionary, as dict."""
    if isinstance(output, Mapping):
        return {key: _unregistered(value) for key, value in output.items()}
    if isinstance(output, list):
        return [_unregistered(value) for value in output]
    if isinstance(output, tuple) and not hasattr(output, "_fields"):
        return tuple(_unregistered(value) for value in output)
    return output
