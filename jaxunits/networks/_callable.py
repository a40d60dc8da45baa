"""The user's own functions as networks."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, PyTree

from .._errors import InputError
from .._kinds import checks_kinds
from ..data import Preprocessing
from ..tracing import mask
from ._checked import Output, check_arrays, check_network, check_options, chosen_output
from ._classifier import Classifier
from ._function import MaskedFunction


@dataclass(frozen=True)
class FunctionForward:
    """A function, with masks that keep everything where it takes masks.

    Attributes:
      function: `(params, images) → logits` or `(params, images, masks) → logits`.
      masked: the layers whose masks it takes, with their units.
      output: which of its outputs are the logits.
    """

    function: Callable[..., Any]
    masked: tuple[tuple[str, int], ...]
    output: Output

    def __call__(self, params: PyTree, images: Array) -> Any:
        if not self.masked:
            return chosen_output(self.function(params, images), self.output)
        masks = {name: mask(jnp.ones(units), name) for name, units in self.masked}
        return chosen_output(self.function(params, images, masks), self.output)


@checks_kinds
def from_callable(
    function: Callable[..., Any],
    params: PyTree,
    *,
    preprocessing: Preprocessing,
    layers: Mapping[str, int] | None = None,
    output: Any = None,
    unit_axis: Mapping[str, int] | None = None,
    name: str = "callable",
    allow_probabilities: bool = False,
) -> Classifier:
    """A function as a network that can be measured.

    Either `(params, images) → logits`, with the values that are layers named inside by
    `ju.networks.unit(x, "conv1")`; Flax modules inside name theirs themselves when they are
    `tagged`. Or `(params, images, masks) → logits`, which multiplies the activations of layer
    `name` by `masks[name]` itself (`ju.networks.ablate` does it).

    Args:
      function: a pure JAX function of images `[images, height, width, channels]`.
      params: its first argument, any pytree of arrays.
      preprocessing: what it expects of images.
      layers: for a function that takes masks, the number of units of each layer.
      output: which of several outputs are the logits: a key, an index, or a function of them.
      unit_axis: for some layers the axis of units in their activations.
      name: its name in messages and results.
      allow_probabilities: as for `from_nnx`.

    Returns:
      The network, whose layers every measuring function takes by name.

    Raises:
      InputError: the function takes other arguments, ignores a mask, or names no layers; and as for
        `from_nnx`.
    """
    check_arrays(params, f"network {name!r}")
    expected = "function(params, images, masks)" if layers else "function(params, images)"
    try:
        inspect.signature(function).bind(params, None, *([{}] if layers else []))
    except TypeError as error:
        raise InputError(
            f"network {name!r} cannot be called as {expected}: {error}. A function that takes "
            "masks needs layers={'conv1': 64}; one that takes none names its layers by "
            "ju.networks.unit(x, 'conv1')"
        ) from error
    _, axes, output = check_options("unit", unit_axis, output)
    forward = FunctionForward(function, tuple((layers or {}).items()), output)
    network = Classifier(
        name=name,
        function=MaskedFunction(forward, "unit", axes),
        params=params,
        preprocessing=preprocessing,
    )
    check_network(network, allow_probabilities=allow_probabilities)
    for layer in layers or {}:
        if layer not in network.layers:
            raise InputError(
                f"network {name!r} ignores the mask of layer {layer!r}: no logit depends on it. "
                f"Multiply the layer's activations by masks[{layer!r}], or leave it out of layers"
            )
    return network
