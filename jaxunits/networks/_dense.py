"""Dense layers, and the flattening before them."""

from __future__ import annotations

import math
from typing import cast

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from .._bounds import check_numbers
from .._kinds import checks_kinds
from ._kernels import initial_kernel
from ._stages import CHANNELS, Activation, is_elementwise, with_parameter


class Dense(nnx.Module):
    """A dense map, then a non-linearity. Its units are the neurons after it.

    Attributes:
      kernel: `[inputs, units]`.
      bias: `[units]`.
      activation: the non-linearity; None for none, and no units.
    """

    per_channel = False

    @checks_kinds
    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        activation: Activation = jax.nn.relu,
        rngs: nnx.Rngs,
    ) -> None:
        check_numbers(inputs=(inputs, CHANNELS), outputs=(outputs, CHANNELS))
        self.kernel = nnx.Param(initial_kernel(rngs, (inputs, outputs), activation))
        self.bias = nnx.Param(jnp.zeros(outputs))
        self.activation = activation
        self.units = None if activation is None else outputs

    @property
    def separable(self) -> bool:
        """Whether one neuron can be computed without the others."""
        return is_elementwise(self.activation, (2, self.kernel.shape[-1]))

    @property
    def incoming_weights(self) -> Float[Array, "inputs units"]:
        """The kernel."""
        return self.kernel[...]

    def __call__(self, state: Float[Array, "images inputs"]) -> Float[Array, "images units"]:
        """Multiply, then apply the non-linearity."""
        return self.nonlinear(self.linear(state))

    def linear(self, state: Float[Array, "images inputs"]) -> Float[Array, "images units"]:
        """The matrix product and the bias."""
        product = state @ self.kernel[...].astype(state.dtype)
        return product + self.bias[...].astype(state.dtype).reshape(1, -1)

    def linear_of(
        self, state: Float[Array, "images inputs"], unit: Int[Array, ""]
    ) -> Float[Array, " images"]:
        """One neuron of `linear`; the others are not computed."""
        weights, bias = jnp.take(self.kernel[...], unit, axis=-1), self.bias[unit]
        return state @ weights.astype(state.dtype) + bias.astype(state.dtype)

    def nonlinear(self, state: Float[Array, "images units"]) -> Float[Array, "images units"]:
        """The non-linearity."""
        return state if self.activation is None else self.activation(state)

    def nonlinear_of(self, maps: Float[Array, " images"]) -> Float[Array, " images"]:
        """The non-linearity, for one neuron."""
        return self.nonlinear(maps[:, None])[:, 0]

    def contributions(
        self, parts: Float[Array, "images *map chosen"], units: Int[Array, " chosen"]
    ) -> Float[Array, "chosen images units"]:
        """What each channel alone, at all positions of its map, adds to `linear`."""
        images, *places, _ = parts.shape
        positions = math.prod(places)
        kernel = self.kernel[...].reshape(positions, -1, self.kernel.shape[-1])[:, units]
        flat = parts.reshape(images, positions, -1)
        return jnp.einsum("npk,pko->kno", flat, kernel.astype(parts.dtype))

    def rotated(self, basis: Float[Array, "channels directions"]) -> Dense:
        """The dense layer that reads each position's channels in another orthonormal basis."""
        inputs, outputs = self.kernel.shape
        by_position = self.kernel[...].reshape(-1, len(basis), outputs)
        kernel = jnp.einsum("pco,cd->pdo", by_position, basis).reshape(inputs, outputs)
        return cast(Dense, with_parameter(self, "kernel", kernel))


class Flatten(nnx.Module):
    """All numbers of an image in one row: height, then width, then channels."""

    units = None
    per_channel = True

    def __call__(
        self, state: Float[Array, "images height width units"]
    ) -> Float[Array, "images inputs"]:
        """Flatten."""
        return state.reshape(state.shape[0], -1)
