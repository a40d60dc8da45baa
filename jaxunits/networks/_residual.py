"""Residual blocks (He, Zhang, Ren and Sun 2016) and their groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from ._convolution import batch_norm, convolution
from ._kernels import InitialKernels
from ._parts import channel_dropout


class Block(nnx.Module):
    """Two 3×3 convolutions with batch norm, a shortcut around them, and ReLU after the sum.

    Where the shapes change, the shortcut takes every second pixel and pads the channels with zeros
    on both sides (option A), or is a 1×1 convolution with batch norm (option B).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        strides: int,
        *,
        shortcut: str,
        rates: tuple[float, float],
        kernels: InitialKernels,
    ) -> None:
        """Draw its weights.

        Args:
          inputs: channels that it reads.
          outputs: channels inside it and of its output.
          strides: step of the first convolution in pixels.
          shortcut: `"A"` or `"B"`.
          rates: the probabilities that a channel inside the block, and of its output, is dropped.
          kernels: draws the kernels.
        """

        def bare(inputs: int, size: int, strides: int, padding: int, init: Any) -> nnx.Conv:
            return convolution(
                inputs,
                outputs,
                size,
                strides=strides,
                padding=padding,
                bias=False,
                kernel_init=init,
            )

        self.conv1 = bare(inputs, 3, strides, 1, kernels.he)
        self.bn1 = batch_norm(outputs, kernels.rngs)
        self.dropout1 = channel_dropout(rates[0], kernels.rngs)
        self.conv2 = bare(outputs, 3, 1, 1, kernels.lecun)
        self.bn2 = batch_norm(outputs, kernels.rngs)
        self.dropout2 = channel_dropout(rates[1], kernels.rngs)
        self.strides, self.outputs = strides, outputs
        projected = shortcut == "B" and (strides > 1 or inputs != outputs)
        self.downsample = nnx.List(
            [bare(inputs, 1, strides, 0, kernels.lecun), batch_norm(outputs, kernels.rngs)]
            if projected
            else []
        )

    def __call__(
        self, maps: Float[Array, "images height width inputs"]
    ) -> Float[Array, "images rows columns outputs"]:
        """The block's output."""
        inside = self.dropout1(nnx.relu(self.bn1(self.conv1(maps))))
        output = nnx.relu(self.bn2(self.conv2(inside)) + self._shortcut(maps))
        return self.dropout2(output)

    def _shortcut(self, maps: Array) -> Array:
        if self.downsample:
            projection, norm = self.downsample
            return norm(projection(maps))
        missing = self.outputs - maps.shape[-1]
        maps = maps[:, :: self.strides, :: self.strides]
        if not missing:
            return maps
        return jnp.pad(maps, [(0, 0)] * 3 + [(missing // 2, missing - missing // 2)])


def add_groups(
    network: nnx.Module,
    widths: Sequence[int],
    blocks: int,
    *,
    shortcut: str,
    rates: Mapping[str, float],
    kernels: InitialKernels,
) -> tuple[str, ...]:
    """Give a network groups of blocks, each but the first of which halves the maps.

    Args:
      network: gets the attributes `layer1`, `layer2`, ….
      widths: units of the blocks of each group; the first group reads as many.
      blocks: how many each group has.
      shortcut: as for a block.
      rates: for some of the layers the probability that a channel is dropped.
      kernels: draws the kernels.

    Returns:
      The attributes' names.
    """
    inputs, names = widths[0], []
    for group, outputs in enumerate(widths, start=1):
        name = f"layer{group}"
        parts = []
        for number in range(blocks):
            strides = 2 if group > 1 and number == 0 else 1
            layers = (f"{name}.{number}.conv1", f"{name}.{number}")
            inside, behind = (rates.get(layer, 0.0) for layer in layers)
            parts.append(
                Block(
                    inputs,
                    outputs,
                    strides,
                    shortcut=shortcut,
                    rates=(inside, behind),
                    kernels=kernels,
                )
            )
            inputs = outputs
        setattr(network, name, nnx.List(parts))
        names.append(name)
    return tuple(names)


def through_groups(network: nnx.Module, names: Sequence[str], maps: Array) -> Array:
    """What a network's groups of blocks give one after another."""
    for name in names:
        for block in getattr(network, name):
            maps = block(maps)
    return maps


def block_layers(blocks: Sequence[int]) -> list[str]:
    """The layers of groups of so many blocks, in order."""
    return [
        layer
        for group, count in enumerate(blocks, start=1)
        for number in range(count)
        for layer in (f"layer{group}.{number}.conv1", f"layer{group}.{number}")
    ]
