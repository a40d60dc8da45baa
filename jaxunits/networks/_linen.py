"""Flax Linen modules, as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
from flax import linen as nn
from jaxtyping import Array, PyTree

from .._errors import InputError
from .._kinds import checks_kinds
from ..data import Preprocessing
from ..tracing import module_output
from ._checked import (
    Arguments,
    Output,
    check_arrays,
    check_network,
    check_options,
    chosen_output,
)
from ._classifier import Classifier
from ._function import MaskedFunction


@dataclass(frozen=True)
class LinenForward:
    """A Linen module as a function of its variables and images.

    Attributes:
      network: the module.
      arguments: keyword arguments of its call.
      output: which of its outputs are the logits.
    """

    network: nn.Module
    arguments: Arguments
    output: Output

    def __call__(self, params: PyTree, images: Array) -> Any:
        with nn.intercept_methods(_named):
            output = self.network.apply(params, images, **self.arguments.fresh())
        return chosen_output(output, self.output)


def _named(call: Any, args: Any, kwargs: Any, context: nn.module.InterceptorContext) -> Any:
    """A submodule's call that names its output by the submodule's path."""
    output = call(*args, **kwargs)
    path = context.module.path
    if context.method_name != "__call__" or not path or not isinstance(output, jax.Array):
        return output
    return module_output(output, ".".join(path))


@checks_kinds
def from_linen(
    module: nn.Module,
    variables: PyTree,
    *,
    preprocessing: Preprocessing,
    arguments: Mapping[str, Any] | None = None,
    output: Any = None,
    hook: str = "unit",
    unit_axis: Mapping[str, int] | None = None,
    name: str | None = None,
    allow_probabilities: bool = False,
) -> Classifier:
    """A Linen module not written for masks as a network that can be measured.

    Its layers are its submodules, named by their paths (`Conv_0`, `block1.Conv_0`); what their
    units are, and what the arguments mean, is as for `from_nnx`.

    Args:
      module: the module.
      variables: its variables, as `module.init` returns them.
      preprocessing: what it expects of images.
      arguments: further keyword arguments of its call, such as `{"train": False}`.
      output: which of several outputs are the logits.
      hook: `"output"` for units as the submodules themselves give them.
      unit_axis: for some layers the axis of units in their activations.
      name: its name in messages and results; the class's name by default.
      allow_probabilities: as for `from_nnx`.

    Returns:
      The network, whose layers every measuring function takes by name.

    Raises:
      InputError: the variables are not the module's; and as for `from_nnx`.
    """
    name = name or type(module).__name__
    if not isinstance(variables, Mapping):
        raise InputError(
            f"variables of type {type(variables).__name__}: give what module.init returns"
        )
    if "params" not in variables and variables:
        collections = ", ".join(map(str, list(variables)[:5]))
        raise InputError(
            f"variables of network {name!r} hold {collections} and no collection 'params': give "
            "all that module.init returns, {'params': …, 'batch_stats': …}, not its 'params' alone"
        )
    check_arrays(variables, f"network {name!r}")
    hook, axes, output = check_options(hook, unit_axis, output)
    unboxed = nn.unbox(variables)
    network = Classifier(
        name=name,
        function=MaskedFunction(LinenForward(module, Arguments.of(arguments), output), hook, axes),
        params=unboxed,
        preprocessing=preprocessing,
    )
    check_network(network, allow_probabilities=allow_probabilities)
    return network
