"""The activations of a layer on one image, and what goes into their non-linearity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from ..networks._function import MaskedFunction


class Responses(NamedTuple):
    """The activations of units of a layer on one image.

    Attributes:
      after: after the non-linearity.
      before: before it; None where it is not known.
    """

    after: Float[Array, "*map units"]
    before: Float[Array, "*map units"] | None

    def of(self, unit: Int[Array, ""]) -> Responses:
        """One unit's part."""
        after = jnp.take(self.after, unit[None], axis=-1)
        before = None if self.before is None else jnp.take(self.before, unit[None], axis=-1)
        return Responses(after, before)


@dataclass(frozen=True)
class Read:
    """From parameters and a standardized image to activations; nothing behind the layer runs.

    Equal for the same layer of networks of the same build.

    Attributes:
      function: the network.
      layer: the layer.
    """

    function: MaskedFunction
    layer: str

    def __call__(
        self,
        params: PyTree,
        image: Float[Array, "height width channels"],
        unit: Int[Array, ""] | None = None,
    ) -> Responses:
        """Of all units of the layer, or of one alone."""
        before, after = self.function.before_and_after(params, image[None], self.layer, unit)
        return Responses(after[0], None if before is None else before[0])
