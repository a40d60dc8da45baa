"""Convolutions."""

from __future__ import annotations

from typing import Any, cast

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from .._bounds import check_numbers
from .._kinds import checks_kinds
from ._kernels import initial_kernel
from ._one_output import convolve_to_one
from ._stages import (
    CHANNELS,
    SIZES,
    Activation,
    Centres,
    check_padding,
    evaluation_norm,
    is_elementwise,
    with_parameter,
)

# PyTorch's: the share of the running averages that a batch leaves, and what is added to variances.
_KEPT = 0.9
_EPSILON = 1e-5


class Convolution(nnx.Module):
    """Convolution, batch norm where asked for, then a non-linearity. Its units are the channels.

    Attributes:
      kernel: `[rows, columns, inputs, units]`.
      bias: `[units]`; None for none.
      norm: batch norm before the non-linearity, with its running averages; None for none.
      strides: step in pixels.
      padding: pixels of zeros on each side, or `"SAME"`.
      activation: the non-linearity; None for none, and no units.
    """

    per_channel = False

    @checks_kinds
    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int = 3,
        *,
        strides: int = 1,
        padding: int | str = "SAME",
        bias: bool = True,
        batch_norm: bool = False,
        activation: Activation = jax.nn.relu,
        rngs: nnx.Rngs,
    ) -> None:
        check_numbers(
            inputs=(inputs, CHANNELS),
            outputs=(outputs, CHANNELS),
            size=(size, SIZES),
            strides=(strides, SIZES),
        )
        check_padding(padding)
        self.kernel = nnx.Param(initial_kernel(rngs, (size, size, inputs, outputs), activation))
        self.bias = nnx.Param(jnp.zeros(outputs)) if bias else None
        self.norm = (
            nnx.BatchNorm(
                outputs, use_running_average=True, momentum=_KEPT, epsilon=_EPSILON, rngs=rngs
            )
            if batch_norm
            else None
        )
        self.strides = strides
        self.padding = padding
        self.activation = activation
        self.units = None if activation is None else outputs

    @property
    def separable(self) -> bool:
        """Whether one channel can be computed without the others."""
        return is_elementwise(self.activation, (2, 2, 2, self.kernel.shape[-1]))

    @property
    def incoming_weights(self) -> Float[Array, "rows columns inputs units"]:
        """The kernel."""
        return self.kernel[...]

    def __call__(
        self, state: Float[Array, "images height width inputs"]
    ) -> Float[Array, "images rows columns units"]:
        """Convolve, normalise, then apply the non-linearity."""
        return self.nonlinear(self.linear(state))

    def linear(
        self, state: Float[Array, "images height width inputs"]
    ) -> Float[Array, "images rows columns units"]:
        """The convolution with its batch norm: an affine map in evaluation."""
        output = self._convolve(state, self.kernel[...])
        if self.bias is not None:
            output = output + _channels(self.bias[...], output)
        if self.norm is None:
            return output
        if not self.norm.use_running_average:
            return self.norm(output).astype(output.dtype)
        scale, shift = evaluation_norm(self.norm)
        return output * _channels(scale, output) + _channels(shift, output)

    def linear_of(
        self, state: Float[Array, "images height width inputs"], unit: Int[Array, ""]
    ) -> Float[Array, "images rows columns"]:
        """One unit's channel of `linear` in evaluation; the others are not computed."""
        kernel = jnp.take(self.kernel[...], unit, axis=-1).astype(state.dtype)
        output = convolve_to_one(state, kernel, self.strides, self._edges(state.shape[1:3]))
        if self.bias is not None:
            output = output + self.bias[unit].astype(output.dtype)
        if self.norm is None:
            return output
        scale, shift = (values[unit].astype(output.dtype) for values in evaluation_norm(self.norm))
        return output * scale + shift

    def nonlinear(
        self, state: Float[Array, "images rows columns units"]
    ) -> Float[Array, "images rows columns units"]:
        """The non-linearity."""
        return state if self.activation is None else self.activation(state)

    def nonlinear_of(
        self, maps: Float[Array, "images rows columns"]
    ) -> Float[Array, "images rows columns"]:
        """The non-linearity, for one channel."""
        return self.nonlinear(maps[..., None])[..., 0]

    def contributions(
        self, parts: Float[Array, "images height width chosen"], units: Int[Array, " chosen"]
    ) -> Float[Array, "chosen images rows columns units"]:
        """What each input channel alone adds to `linear`, without bias."""
        kernel = self.kernel[...][:, :, units]
        if self.norm is not None:
            kernel = kernel * evaluation_norm(self.norm)[0].reshape(1, 1, 1, -1)
        if len(units) == 1:
            return self._convolve(parts, kernel)[None]
        # Convolutions of one channel each, as one batched matrix product over their windows.
        windows = jnp.stack(self._windows(parts))
        flat = kernel.astype(parts.dtype).reshape(-1, *kernel.shape[2:])
        return jnp.einsum("pnhwk,pko->knhwo", windows, flat)

    def rotated(self, basis: Float[Array, "inputs directions"]) -> Convolution:
        """The convolution that reads its input in another orthonormal basis."""
        kernel = jnp.einsum("hwio,id->hwdo", self.kernel[...], basis)
        return cast(Convolution, with_parameter(self, "kernel", kernel))

    def centres(self, size: tuple[int, int]) -> tuple[Centres, Centres]:
        """Where the kernel lies, see `LocalStage`."""
        (top, _), (left, _) = self._edges(size)
        rows, columns = self.kernel.shape[:2]
        return (
            Centres(self.strides, (rows - 1) / 2 - top),
            Centres(self.strides, (columns - 1) / 2 - left),
        )

    def _convolve(self, state: Array, kernel: Array) -> Array:
        rows, columns, inputs, outputs = kernel.shape
        if state.shape[1] < rows or state.shape[2] < columns:
            # XLA on CPUs convolves maps that are smaller than the kernel 60 times as slowly.
            windows = jnp.concatenate(self._windows(state), axis=-1)
            return windows @ kernel.astype(state.dtype).reshape(rows * columns * inputs, outputs)
        return jax.lax.conv_general_dilated(
            state,
            kernel.astype(state.dtype),
            (self.strides, self.strides),
            self._pad(),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )

    def _pad(self) -> Any:
        return self.padding if isinstance(self.padding, str) else [(self.padding,) * 2] * 2

    def _edges(self, size: tuple[int, ...]) -> list[tuple[int, int]]:
        """Pixels of zeros before and after maps of this height and width."""
        pad = self._pad()
        if not isinstance(pad, str):
            return list(pad)
        steps = (self.strides, self.strides)
        return jax.lax.padtype_to_pads(size, self.kernel.shape[:2], steps, pad)

    def _windows(self, maps: Array) -> list[Float[Array, "images rows columns chosen"]]:
        """For each place of the kernel the pixels that it meets."""
        rows, columns = self.kernel.shape[:2]
        padded = jnp.pad(maps, [(0, 0), *self._edges(maps.shape[1:3]), (0, 0)])
        # Nothing is left of maps that are too small even with their border.
        height = max(0, (padded.shape[1] - rows) // self.strides + 1)
        width = max(0, (padded.shape[2] - columns) // self.strides + 1)
        return [
            padded[:, top :: self.strides, left :: self.strides][:, :height, :width]
            for top in range(rows)
            for left in range(columns)
        ]


def _channels(values: Float[Array, " units"], like: Array) -> Float[Array, "1 1 1 units"]:
    return values.astype(like.dtype).reshape(1, 1, 1, -1)
