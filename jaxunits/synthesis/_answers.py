"""What the units of a layer answer to one image, and what goes into their non-linearity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from .._errors import InputError
from ..networks import Functional, LinearStage, Network, SeparableStage, features_of


class Answers(NamedTuple):
    """What units of a layer answer to one image.

    Attributes:
      after: after the non-linearity.
      before: before it; None where it cannot be told.
    """

    after: Float[Array, "*map units"]
    before: Float[Array, "*map units"] | None

    def of(self, unit: Int[Array, ""]) -> Answers:
        """One unit's part."""
        after = jnp.take(self.after, unit[None], axis=-1)
        before = None if self.before is None else jnp.take(self.before, unit[None], axis=-1)
        return Answers(after, before)


@runtime_checkable
class Read(Protocol):
    """From parameters and a standardised image to answers; nothing behind the layer runs."""

    def __call__(self, params: PyTree, image: Float[Array, "height width channels"], /) -> Answers:
        """Of all units of the layer."""
        ...

    def one(
        self, params: PyTree, image: Float[Array, "height width channels"], unit: Int[Array, ""], /
    ) -> Answers:
        """Of one unit alone."""
        ...


def reader(network: Functional, layer: str) -> Read:
    """How a layer's answers are had.

    Raises:
      InputError: the network does not show its activations.
    """
    assemble, show = network.assemble, network.activations
    if assemble is not None:
        stage = assemble(network.params).stages[layer]
        if isinstance(stage, LinearStage):
            separable = isinstance(stage, SeparableStage) and stage.separable
            return _OfStages(assemble, layer, separable)
    if show is None:
        raise InputError(
            f"network {network.name!r} does not show its activations: bring it in with "
            "ju.networks.from_nnx or from_linen, or as a network of stages"
        )
    return _OfFunction(show, layer)


@dataclass(frozen=True)
class _OfFunction:
    """Answers of a layer of any network."""

    show: Callable[[PyTree, Array, str], Array]
    layer: str

    def __call__(self, params: PyTree, image: Float[Array, "height width channels"]) -> Answers:
        return Answers(self.show(params, image[None], self.layer)[0], None)

    def one(
        self, params: PyTree, image: Float[Array, "height width channels"], unit: Int[Array, ""]
    ) -> Answers:
        return self(params, image).of(unit)


@dataclass(frozen=True)
class _OfStages:
    """Answers of a layer that is an affine map, then a non-linearity.

    Attributes:
      assemble: gives the network with its parameters.
      layer: the layer.
      separable: whether its units can be computed one by one.
    """

    assemble: Callable[[PyTree], Network]
    layer: str
    separable: bool

    def __call__(self, params: PyTree, image: Float[Array, "height width channels"]) -> Answers:
        stage, state = self._stage(params, image)
        before = stage.linear(state)
        return Answers(features_of(stage.nonlinear(before))[0], features_of(before)[0])

    def one(
        self, params: PyTree, image: Float[Array, "height width channels"], unit: Int[Array, ""]
    ) -> Answers:
        if not self.separable:
            return self(params, image).of(unit)
        stage, state = self._stage(params, image)
        before = stage.linear_of(state, unit)
        return Answers(stage.nonlinear_of(before)[0, ..., None], before[0, ..., None])

    def _stage(
        self, params: PyTree, image: Float[Array, "height width channels"]
    ) -> tuple[Any, PyTree]:
        """The layer's stage, and what it reads."""
        network, state = self.assemble(params), image[None]
        if position := network.order.index(self.layer):
            state = network.run(state, through=network.order[position - 1])
        return network.stages[self.layer], state
