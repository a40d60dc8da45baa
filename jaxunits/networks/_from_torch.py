"""PyTorch modules, as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jaxtyping import Array, PyTree

from .._kinds import checks_kinds
from ..data import Preprocessing
from ._checked import Output, check_network, check_options, chosen_output
from ._classifier import Classifier
from ._function import MaskedFunction
from ._torch import translate


@dataclass(frozen=True)
class TorchForward:
    """A translated PyTorch module.

    Attributes:
      function: `(params, images) → outputs`.
      output: which of its outputs are the logits.
    """

    function: Callable[[PyTree, Array], Any]
    output: Output

    def __call__(self, params: PyTree, images: Array) -> Any:
        return chosen_output(self.function(params, images), self.output)


@checks_kinds
def from_torch(
    module: Any,
    *,
    preprocessing: Preprocessing,
    arguments: Mapping[str, Any] | None = None,
    output: Any = None,
    hook: str = "unit",
    unit_axis: Mapping[str, int] | None = None,
    name: str | None = None,
    allow_probabilities: bool = False,
) -> Classifier:
    """A PyTorch module as a network that can be measured, without PyTorch from then on.

    `torch.export` gives the module's forward pass in evaluation, operation by operation, which is
    translated to JAX. Its layers are its submodules, named by their paths (`features.0`,
    `layer1.0.conv1`); what their units are, and what the arguments mean, is as for `from_nnx`.
    Parameters are those of its state dict, by their names. Needs the extra `jaxunits[torch]`.

    Args:
      module: a `torch.nn.Module` that reads images `[images, channels, height, width]`; it is not
        changed.
      preprocessing: what it expects of images.
      arguments: further keyword arguments of its call.
      output: which of several outputs are the logits.
      hook: `"output"` for units as the submodules themselves give them.
      unit_axis: for some layers the axis of units in their activations, as PyTorch has them.
      name: its name in messages and results; the class's name by default.
      allow_probabilities: as for `from_nnx`.

    Returns:
      The network, whose layers every measuring function takes by name.

    Raises:
      InputError: PyTorch is missing, refuses to export the module, or one of its operations has no
        translation, which is named with its submodule; and as for `from_nnx`.
    """
    hook, axes, output = check_options(hook, unit_axis, output)
    translated = translate(module, preprocessing, arguments=arguments)
    network = Classifier(
        name=name or translated.name,
        function=MaskedFunction(TorchForward(translated.forward, output), hook, axes),
        params=translated.params,
        preprocessing=preprocessing,
    )
    check_network(network, allow_probabilities=allow_probabilities)
    return network
