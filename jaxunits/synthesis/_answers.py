"""What the units of a layer answer to one image, and what goes into their non-linearity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, cast

from jaxtyping import Array, Float, PyTree

from .._errors import InputError
from ..networks import Functional, LinearStage, Network, features_of


class Answers(NamedTuple):
    """A layer's maps for one image.

    Attributes:
      after: after the non-linearity.
      before: before it; None where it cannot be told.
    """

    after: Float[Array, "*map units"]
    before: Float[Array, "*map units"] | None


Read = Callable[[PyTree, Float[Array, "height width channels"]], Answers]


def reader(network: Functional, layer: str) -> Read:
    """From parameters and a standardised image to a layer's answers; nothing behind it runs.

    Raises:
      InputError: the network does not show its activations.
    """
    assemble, show = network.assemble, network.activations
    if assemble is not None and isinstance(assemble(network.params).stages[layer], LinearStage):
        return _OfStages(assemble, layer)
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


@dataclass(frozen=True)
class _OfStages:
    """Answers of a layer that is an affine map, then a non-linearity."""

    assemble: Callable[[PyTree], Network]
    layer: str

    def __call__(self, params: PyTree, image: Float[Array, "height width channels"]) -> Answers:
        network = self.assemble(params)
        position = network.order.index(self.layer)
        state = image[None]
        if position > 0:
            state = network.run(state, through=network.order[position - 1])
        stage = cast(LinearStage, network.stages[self.layer])
        before = stage.linear(state)
        after = stage.nonlinear(before)
        return Answers(features_of(after)[0], features_of(before)[0])
