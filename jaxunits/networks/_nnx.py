"""Flax NNX modules, as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flax import nnx
from jaxtyping import Array, PyTree

from .._kinds import checks_kinds
from ..data import Preprocessing
from ._architecture import Architecture
from ._checked import Arguments, Output, check_network, check_options, chosen_output
from ._classifier import Classifier
from ._function import MaskedFunction
from ._tagging import tagged


@dataclass(frozen=True)
class NnxForward:
    """An NNX module as a function of its arrays and images; equal for equal builds.

    Attributes:
      graph: the module without its arrays.
      arguments: keyword arguments of its call.
      output: which of its outputs are the logits.
      random: the keys of random numbers, which evaluation does not use.
    """

    graph: nnx.GraphDef[nnx.Module]
    arguments: Arguments
    output: Output
    random: Any = field(compare=False, repr=False)

    def module(self, params: PyTree) -> nnx.Module:
        """The module with these arrays."""
        return nnx.merge(self.graph, params, self.random)

    def __call__(self, params: PyTree, images: Array) -> Any:
        module: Any = tagged(self.module(params))
        return chosen_output(module(images, **self.arguments.fresh()), self.output)


@checks_kinds
def from_nnx(
    module: nnx.Module,
    *,
    preprocessing: Preprocessing,
    arguments: Mapping[str, Any] | None = None,
    output: Any = None,
    hook: str = "unit",
    unit_axis: Mapping[str, int] | None = None,
    name: str | None = None,
    allow_probabilities: bool = False,
) -> Classifier:
    """An NNX module not written for masks as a network that can be measured.

    Its layers are its submodules, named by their paths (`conv1`, `blocks.0.conv`) in the order of
    their calls. The units of a layer are what a non-linearity that follows gives, inside the
    submodule or after it; submodules that end in the same units (a convolution and its batch norm)
    are one layer, which has the first one's name. Dropout and batch norm are set to evaluation.

    Args:
      module: the module; it is not changed.
      preprocessing: what it expects of images.
      arguments: further keyword arguments of its call, such as `{"train": False}`.
      output: which of several outputs are the logits: a key, an index, or a function of them.
      hook: `"output"` for units as the submodules themselves give them.
      unit_axis: for some layers the axis of units in their activations, such as `{"query": 2}` for
        the heads of `[images, tokens, heads, features]`.
      name: its name in messages and results; the class's name by default.
      allow_probabilities: accept outputs that are non-negative and sum to one as logits; they
        are refused otherwise, since the loss takes the softmax itself.

    Returns:
      The network, whose layers every measuring function takes by name.

    Raises:
      InputError: the module cannot be called this way, does not give logits `[images, classes]` or
        gives probabilities, or an image's logits depend on the other images of its batch.
    """
    network = nnx_classifier(
        module,
        preprocessing=preprocessing,
        function=check_options(hook, unit_axis, output),
        arguments=arguments,
        name=name or type(module).__name__,
    )
    check_network(network, allow_probabilities=allow_probabilities)
    return network


def nnx_classifier(
    module: nnx.Module,
    *,
    preprocessing: Preprocessing,
    name: str,
    architecture: Architecture | None = None,
    arguments: Mapping[str, Any] | None = None,
    function: Any = None,
) -> Classifier:
    """An NNX module as a network, without checking its outputs."""
    hook, unit_axis, output = function or ("unit", (), None)
    view = nnx.view(module, raise_if_not_found=False, deterministic=True, use_running_average=True)
    graph, random, params = nnx.split(view, nnx.RngState, ...)  # type: ignore[misc]
    forward = NnxForward(graph, Arguments.of(arguments), output, random)
    return Classifier(
        name=name,
        function=MaskedFunction(forward, hook, unit_axis),
        params=params,
        preprocessing=preprocessing,
        architecture=architecture,
    )
