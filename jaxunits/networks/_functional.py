"""The form in which every network is measured: a pure function and its parameters."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flax import nnx
from jaxtyping import Array, PyTree

from .._errors import InputError
from ..data import Preprocessing
from ..results import fingerprint
from ._layer import Layer, find_layer
from ._network import Network
from ._stages import WeightedStage

WithActivations = Callable[
    [PyTree, Array, Sequence[str], Mapping[str, Array]], tuple[Array, dict[str, Array]]
]


@dataclass(frozen=True, eq=False)
class Functional:
    """A network as a pure function of parameters, images, masks and values.

    Attributes:
      name: what it is called in messages and results.
      apply: `(params, images, masks, values) → logits`; masks and values are dictionaries from
        layer names to `[units]`, as in a call of `Network`.
      params: every array that `apply` depends on.
      layers: the layers that can be masked.
      classes: how many logits it gives.
      preprocessing: what it expects of images.
      activations: `(params, images, layer) → [images, *map, units]`; None where it cannot be told.
      with_activations: `(params, images, layers, masks) → (logits, activations by layer)`, all of
        one pass; None where it cannot be told.
      incoming_weights: `(params, layer) → [..., units]`, the weights that lead into a layer's
        units, or None if the layer has none of its own; None where no layer's can be told.
      architecture: how the network was built, for provenance.
      assemble: gives the network of stages with these parameters; None where there are no stages.
    """

    name: str
    apply: Callable[[PyTree, Array, Mapping[str, Array], Mapping[str, Array]], Array]
    params: PyTree
    layers: Mapping[str, Layer]
    classes: int
    preprocessing: Preprocessing
    activations: Callable[[PyTree, Array, str], Array] | None = None
    with_activations: WithActivations | None = None
    incoming_weights: Callable[[PyTree, str], Array | None] | None = None
    architecture: str = ""
    assemble: Callable[[PyTree], Network] | None = None

    @functools.cached_property
    def fingerprint(self) -> str:
        """Of the parameters, see `ju.results.fingerprint`."""
        return fingerprint(self.params)

    def layer(self, name: str) -> Layer:
        """A layer by its name.

        Raises:
          InputError: there is no such layer; the nearest name is offered.
        """
        return find_layer(self.layers, name, f"network {self.name!r}")


def functional(network: Any) -> Functional:
    """The functional form of a network; one that has it already is returned as it is.

    Raises:
      InputError: the network has to be wrapped first; the message says by which function.
    """
    if isinstance(network, Functional):
        return network
    if isinstance(network, Network):
        return _from_stages(network)
    raise InputError(
        f"network of type {type(network).__name__}: wrap it with ju.networks.from_nnx (a Flax NNX "
        "module), from_linen (a Linen module and its variables) or from_callable (a function "
        "(params, images, masks) → logits)"
    )


def _from_stages(network: Network) -> Functional:
    # Batch statistics would make an image's logits depend on its neighbours.
    view = nnx.view(network, raise_if_not_found=False, use_running_average=True, deterministic=True)
    graph, state = nnx.split(view)
    assemble = _Assemble(graph)

    def apply(
        params: PyTree, images: Array, masks: Mapping[str, Array], values: Mapping[str, Array]
    ) -> Array:
        return assemble(params)(images, masks, values)

    def with_activations(
        params: PyTree, images: Array, layers: Sequence[str], masks: Mapping[str, Array]
    ) -> tuple[Array, dict[str, Array]]:
        return assemble(params).with_activations(images, layers, masks=masks)

    def incoming_weights(params: PyTree, layer: str) -> Array | None:
        stage = assemble(params).stages[layer]
        return stage.incoming_weights if isinstance(stage, WeightedStage) else None

    return Functional(
        name=network.name,
        apply=apply,
        params=state,
        layers=network.layers,
        classes=network.classes,
        preprocessing=network.preprocessing,
        activations=_Activations(assemble),
        with_activations=with_activations,
        incoming_weights=incoming_weights,
        architecture=str(network.architecture.arguments) if network.architecture else "",
        assemble=assemble,
    )


@dataclass(frozen=True)
class _Assemble:
    """The network with given parameters; equal for equal builds, which can share programs.

    Attributes:
      graph: the network without its arrays.
    """

    graph: nnx.GraphDef[Network]

    def __call__(self, params: PyTree) -> Network:
        return nnx.merge(self.graph, params)


@dataclass(frozen=True)
class _Activations:
    """What a layer answers in networks of one build; equal for equal builds.

    Attributes:
      assemble: gives the network with its parameters.
    """

    assemble: _Assemble

    def __call__(self, params: PyTree, images: Array, layer: str) -> Array:
        return self.assemble(params).activations(images, layer)
