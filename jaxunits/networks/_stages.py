"""What a network asks of its stages.

A stage is an NNX module called with the state that the stage before it left. Two properties, where
a stage has them, let ablation be computed exactly without running the stage once for every unit:
a stage that acts on each channel by itself says so in `per_channel`, and a stage that is affine up
to its non-linearity is a `LinearStage`. A `LinearStage` that can compute one unit without the
others is a `SeparableStage`, a stage that is random in training a `RandomStage`, one whose units
have incoming weights of their own a `WeightedStage`, and one that tells where its windows lie a
`LocalStage`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from .._bounds import Range, check_numbers
from .._errors import InputError

# Of channels without end, since kernels with too many are refused by their parameters.
CHANNELS = Range(1, whole=True)
# Of kernels, windows and strides.
SIZES = Range(1, 2**31 - 1, whole=True)
Activation = Callable[[Array], Array] | None


@runtime_checkable
class Stage(Protocol):
    """A part of a network.

    Attributes:
      units: how many units its output has; None for a stage without units of its own.
      per_channel: whether channel u of what it gives depends on channel u of its input alone.
    """

    @property
    def units(self) -> int | None: ...

    @property
    def per_channel(self) -> bool: ...

    def __call__(self, state: PyTree, /) -> PyTree: ...


class Centres(NamedTuple):
    """Centres of windows along an axis: that of output i lies at scale · i + offset.

    Attributes:
      scale: pixels between the centres of two neighbours.
      offset: pixels from the centre of the first pixel to that of the first window.
    """

    scale: float
    offset: float


@runtime_checkable
class LocalStage(Protocol):
    """A stage each position of whose output is computed of a window of its input."""

    def centres(self, size: tuple[int, int], /) -> tuple[Centres, Centres]:
        """Where the windows lie on maps of this height and width, down and across."""
        ...


@runtime_checkable
class LinearStage(Protocol):
    """A stage that is an affine map, then a non-linearity: `nonlinear(linear(state))`."""

    @property
    def units(self) -> int | None: ...

    @property
    def per_channel(self) -> bool: ...

    def __call__(self, state: PyTree, /) -> PyTree: ...

    def linear(self, state: PyTree, /) -> PyTree:
        """The affine map."""
        ...

    def nonlinear(self, state: PyTree, /) -> PyTree:
        """What follows it; the identity where there is none."""
        ...

    def contributions(
        self, parts: Float[Array, "images *map chosen"], units: Int[Array, " chosen"], /
    ) -> PyTree:
        """What `linear` gives more when one channel of its features grows by a map.

        Args:
          parts: the maps, one for each of the chosen channels. A stage that reads flattened
            features gets them unflattened.
          units: the channels.

        Returns:
          The change of `linear(state)` for each channel alone, `[chosen, images, ...]`.
        """
        ...

    def rotated(self, basis: Float[Array, "units directions"], /) -> LinearStage:
        """The stage that reads features in another orthonormal basis.

        Its `linear` gives for `features @ basis` what this one's gives for `features`.
        """
        ...


@runtime_checkable
class SeparableStage(Protocol):
    """A stage that can compute one unit without the others."""

    @property
    def separable(self) -> bool:
        """Whether it can: whether its non-linearity takes every number by itself."""
        ...

    def linear_of(self, state: PyTree, unit: Int[Array, ""], /) -> Float[Array, "images ..."]:
        """One unit's part of the features that `linear` gives in evaluation."""
        ...

    def nonlinear_of(self, maps: Float[Array, "images ..."], /) -> Float[Array, "images ..."]:
        """What follows it."""
        ...


@runtime_checkable
class WeightedStage(Protocol):
    """A stage whose units have incoming weights."""

    @property
    def incoming_weights(self) -> Float[Array, "*inputs units"]:
        """The weights that lead into its units, biases left out."""
        ...


@runtime_checkable
class RandomStage(Protocol):
    """A stage that is random in training; called, it does what it does in evaluation."""

    def in_training(self, state: PyTree, key: PRNGKeyArray, /) -> PyTree:
        """What it gives in training."""
        ...


def is_elementwise(activation: Activation, shape: tuple[int, ...]) -> bool:
    """Whether a non-linearity does the same to every number, found by trying it on some.

    Args:
      activation: the non-linearity; None for none.
      shape: of an array that it is given; its last axis are the units.
    """
    if activation is None:
        return True
    numbers = jnp.linspace(-1.5, 2, math.prod(shape))
    alone = jax.vmap(activation)(numbers.reshape(-1, *(1,) * len(shape))).ravel()
    # A slope for each unit would make several numbers of one.
    return alone.shape == numbers.shape and bool(
        jnp.allclose(activation(numbers.reshape(shape)).ravel(), alone)
    )


def check_padding(padding: int | str) -> None:
    """Refuse a padding that is neither a number of pixels nor one of XLA's names.

    Raises:
      InputError: naming it.
    """
    if isinstance(padding, str) and padding not in ("SAME", "VALID"):
        raise InputError(f"padding={padding!r}: give 'SAME', 'VALID' or a number of pixels")
    if not isinstance(padding, str):
        check_numbers(padding=(padding, Range(0, SIZES.most, whole=True)))


def with_parameter(module: nnx.Module, name: str, value: Array) -> nnx.Module:
    """A copy of a module with another value of one of its parameters."""
    copy = nnx.clone(module)
    getattr(copy, name)[...] = value
    return copy


def evaluation_norm(
    norm: Any,
) -> tuple[Float[Array, " units"], Float[Array, " units"]]:
    """Scale and shift of a batch norm that uses its running averages."""
    scale = norm.scale[...] * jax.lax.rsqrt(norm.var[...] + norm.epsilon)
    return scale, norm.bias[...] - norm.mean[...] * scale
