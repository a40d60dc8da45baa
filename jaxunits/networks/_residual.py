"""Residual blocks as two stages, so that the units inside a block have a place too."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from .._kinds import checks_kinds
from ._convolution import Convolution
from ._stages import Centres
from ._state import Branched


class Branch(nnx.Module):
    """The first half of a residual block: a convolution, and the shortcut beside it.

    Its units are the convolution's.

    Attributes:
      convolution: from the block's input to the units inside the block.
      projection: from the block's input to the shortcut, without a non-linearity; None for the
        identity.
    """

    per_channel = False

    @checks_kinds
    def __init__(self, convolution: Convolution, projection: Convolution | None = None) -> None:
        self.convolution = convolution
        self.projection = projection
        self.units = convolution.units

    @property
    def separable(self) -> bool:
        """Whether one unit can be computed without the others."""
        return self.convolution.separable

    @property
    def incoming_weights(self) -> Float[Array, "rows columns inputs units"]:
        """The convolution's kernel."""
        return self.convolution.kernel[...]

    def __call__(self, state: Float[Array, "images height width inputs"]) -> Branched:
        """Convolve and apply the non-linearity; project the shortcut."""
        return self.nonlinear(self.linear(state))

    def centres(self, size: tuple[int, int]) -> tuple[Centres, Centres]:
        """Where the convolution's kernel lies, see `LocalStage`."""
        return self.convolution.centres(size)

    def linear(self, state: Float[Array, "images height width inputs"]) -> Branched:
        """Both affine maps."""
        shortcut = state if self.projection is None else self.projection.linear(state)
        return Branched(self.convolution.linear(state), shortcut)

    def linear_of(
        self, state: Float[Array, "images height width inputs"], unit: Int[Array, ""]
    ) -> Float[Array, "images rows columns"]:
        """One unit's channel of the convolution."""
        return self.convolution.linear_of(state, unit)

    def nonlinear(self, state: Branched) -> Branched:
        """The convolution's non-linearity."""
        return Branched(self.convolution.nonlinear(state.features), state.shortcut)

    def nonlinear_of(
        self, maps: Float[Array, "images rows columns"]
    ) -> Float[Array, "images rows columns"]:
        """The convolution's non-linearity, for one unit."""
        return self.convolution.nonlinear_of(maps)

    def contributions(
        self, parts: Float[Array, "images height width chosen"], units: Int[Array, " chosen"]
    ) -> Branched:
        """What each input channel alone adds to both."""
        features = self.convolution.contributions(parts, units)
        if self.projection is not None:
            return Branched(features, self.projection.contributions(parts, units))
        channel = jax.nn.one_hot(units, self.convolution.kernel.shape[2], dtype=parts.dtype)
        return Branched(features, jnp.einsum("nhwk,kc->knhwc", parts, channel))

    def rotated(self, basis: Float[Array, "inputs directions"]) -> Branch:
        """The half block that reads its input in another orthonormal basis.

        The shortcut's identity becomes the way back, a 1×1 convolution.
        """
        projection = self.projection
        if projection is None:
            channels = len(basis)
            projection = Convolution(
                channels, channels, 1, bias=False, activation=None, rngs=nnx.Rngs(0)
            )
            projection.kernel[...] = jnp.eye(channels, dtype=basis.dtype)[None, None]
        return Branch(self.convolution.rotated(basis), projection.rotated(basis))


class Merge(nnx.Module):
    """The second half of a residual block: a convolution plus the shortcut, then a non-linearity.

    Its units are the block's output.

    Attributes:
      convolution: from the units inside the block to the block's output, without a non-linearity.
    """

    per_channel = False
    separable = True

    @checks_kinds
    def __init__(self, convolution: Convolution) -> None:
        self.convolution = convolution
        self.units = convolution.kernel.shape[-1]

    @property
    def incoming_weights(self) -> Float[Array, "rows columns inputs units"]:
        """The kernel of the convolution inside the block; the shortcut is left out."""
        return self.convolution.kernel[...]

    def __call__(self, state: Branched) -> Float[Array, "images rows columns units"]:
        """Convolve, add the shortcut, apply the non-linearity."""
        return self.nonlinear(self.linear(state))

    def centres(self, size: tuple[int, int]) -> tuple[Centres, Centres]:
        """Where the convolution's kernel lies, see `LocalStage`."""
        return self.convolution.centres(size)

    def linear(self, state: Branched) -> Float[Array, "images rows columns units"]:
        """The sum of convolution and shortcut."""
        return self.convolution.linear(state.features) + state.shortcut

    def linear_of(
        self, state: Branched, unit: Int[Array, ""]
    ) -> Float[Array, "images rows columns"]:
        """One unit's channel of the sum."""
        shortcut = jnp.take(state.shortcut, unit, axis=-1)
        return self.convolution.linear_of(state.features, unit) + shortcut

    def nonlinear(
        self, state: Float[Array, "images rows columns units"]
    ) -> Float[Array, "images rows columns units"]:
        """ReLU."""
        return jax.nn.relu(state)

    def nonlinear_of(
        self, maps: Float[Array, "images rows columns"]
    ) -> Float[Array, "images rows columns"]:
        """ReLU, for one unit."""
        return jax.nn.relu(maps)

    def contributions(
        self, parts: Float[Array, "images height width chosen"], units: Int[Array, " chosen"]
    ) -> Float[Array, "chosen images rows columns units"]:
        """What each unit inside the block alone adds to the sum."""
        return self.convolution.contributions(parts, units)

    def rotated(self, basis: Float[Array, "inputs directions"]) -> Merge:
        """The half block that reads the units inside the block in another orthonormal basis."""
        return Merge(self.convolution.rotated(basis))
