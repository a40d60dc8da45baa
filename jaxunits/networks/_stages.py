"""The stages that networks are made of.

A stage is an NNX module called with the state that the stage before it left. A stage with units
says so in `units` and splits into `linear`, its linear map, and `activation`, the function after
it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import jax
from flax import nnx
from jaxtyping import Array, Float

from ._pooling import max_pool

_Activation = Callable[[Array], Array] | None


def _initial(rngs: nnx.Rngs, shape: tuple[int, ...], activation: _Activation) -> Array:
    """Weights that keep the variance of what comes in: He's for a non-linearity, else LeCun's."""
    make = nnx.initializers.he_normal if activation else nnx.initializers.lecun_normal
    return make()(rngs.params(), shape)


@runtime_checkable
class Stage(Protocol):
    """What a network asks of its stages.

    Attributes:
      units: how many units its output has; None for a stage without units of its own.
    """

    @property
    def units(self) -> int | None: ...

    def __call__(self, state: Array, /) -> Array: ...


class Convolution(nnx.Module):
    """Convolution, then a non-linearity. Its units are the channels after it.

    Attributes:
      kernel: `[rows, columns, inputs, units]`.
      bias: `[units]`.
      strides: step in pixels.
      padding: pixels of zeros on each side, or `"SAME"`.
      activation: the non-linearity; None for none, and no units.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int = 3,
        *,
        strides: int = 1,
        padding: int | str = "SAME",
        activation: _Activation = jax.nn.relu,
        rngs: nnx.Rngs,
    ) -> None:
        self.kernel = nnx.Param(_initial(rngs, (size, size, inputs, outputs), activation))
        self.bias = nnx.Param(jax.numpy.zeros(outputs))
        self.strides = strides
        self.padding = padding
        self.activation = activation
        self.units = None if activation is None else outputs

    def linear(
        self, state: Float[Array, "images height width inputs"]
    ) -> Float[Array, "images rows columns units"]:
        """The convolution alone."""
        pad = self.padding if isinstance(self.padding, str) else [(self.padding, self.padding)] * 2
        kernel = self.kernel[...].astype(state.dtype)
        convolved = jax.lax.conv_general_dilated(
            state,
            kernel,
            (self.strides, self.strides),
            pad,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        return convolved + self.bias[...].astype(state.dtype).reshape(1, 1, 1, -1)

    def __call__(
        self, state: Float[Array, "images height width inputs"]
    ) -> Float[Array, "images rows columns units"]:
        """Convolve, then apply the non-linearity."""
        output = self.linear(state)
        return output if self.activation is None else self.activation(output)


class Dense(nnx.Module):
    """A dense map, then a non-linearity. Its units are the neurons after it.

    Attributes:
      kernel: `[inputs, units]`.
      bias: `[units]`.
      activation: the non-linearity; None for none, and no units.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        activation: _Activation = jax.nn.relu,
        rngs: nnx.Rngs,
    ) -> None:
        self.kernel = nnx.Param(_initial(rngs, (inputs, outputs), activation))
        self.bias = nnx.Param(jax.numpy.zeros(outputs))
        self.activation = activation
        self.units = None if activation is None else outputs

    def linear(self, state: Float[Array, "images inputs"]) -> Float[Array, "images units"]:
        """The matrix product alone."""
        product = state @ self.kernel[...].astype(state.dtype)
        return product + self.bias[...].astype(state.dtype).reshape(1, -1)

    def __call__(self, state: Float[Array, "images inputs"]) -> Float[Array, "images units"]:
        """Multiply, then apply the non-linearity."""
        output = self.linear(state)
        return output if self.activation is None else self.activation(output)


class MaxPool(nnx.Module):
    """The largest value of each window of each channel; rows and columns left over are dropped.

    Attributes:
      size: side of the window in pixels.
      strides: step in pixels; `size` by default.
    """

    units = None

    def __init__(self, size: int = 2, strides: int | None = None) -> None:
        self.size = size
        self.strides = strides or size

    def __call__(
        self, state: Float[Array, "images height width units"]
    ) -> Float[Array, "images rows columns units"]:
        """Pool."""
        return max_pool(state, self.size, self.strides)


class Flatten(nnx.Module):
    """All numbers of an image in one row: height, then width, then channels."""

    units = None

    def __call__(
        self, state: Float[Array, "images height width units"]
    ) -> Float[Array, "images inputs"]:
        """Flatten."""
        return state.reshape(state.shape[0], -1)
