"""The ResNets for CIFAR-10 of He, Zhang, Ren and Sun 2016, §4.2."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from flax import nnx
from jaxtyping import Array, Float

from .._errors import InputError
from .._kinds import checks_kinds
from ..data import CIFAR10, Preprocessing
from ._architecture import Architecture
from ._classifier import Classifier
from ._convolution import batch_norm, convolution
from ._kernels import InitialKernels, dense
from ._nnx import nnx_classifier
from ._parts import channel_dropout as dropout_of
from ._parts import check_dropout_layers
from ._residual import add_groups, block_layers, through_groups
from ._sizes import check_sizes, scaled

_WIDTHS = (16, 32, 64)
# Convolutions outside the blocks, and those that one more block per group adds.
_OUTSIDE, _PER_BLOCK = 2, 6


class CifarResNet(nnx.Module):
    """A 3×3 convolution `conv1`, three groups of blocks, a global average, `linear`."""

    def __init__(
        self,
        depth: int,
        classes: int = 10,
        *,
        shortcut: str = "A",
        channels: int = 3,
        width: float = 1.0,
        channel_dropout: Mapping[str, float] | None = None,
        seed: int = 0,
    ) -> None:
        """Draw its weights; see `cifar_resnet` for the arguments."""
        kernels = InitialKernels(seed)
        rates = dict(channel_dropout or {})
        widths = [scaled(units, width) for units in _WIDTHS]
        self.conv1 = convolution(channels, widths[0], padding=1, bias=False, kernel_init=kernels.he)
        self.bn1 = batch_norm(widths[0], kernels.rngs)
        self.conv1_dropout = dropout_of(rates.get("conv1", 0.0), kernels.rngs)
        self.groups = add_groups(
            self, widths, _blocks(depth), shortcut=shortcut, rates=rates, kernels=kernels
        )
        self.linear = dense(widths[-1], classes, kernels.lecun)

    def __call__(
        self, images: Float[Array, "images height width channels"]
    ) -> Float[Array, "images classes"]:
        """Logits."""
        maps = self.conv1_dropout(nnx.relu(self.bn1(self.conv1(images))))
        return self.linear(through_groups(self, self.groups, maps).mean((1, 2)))


@checks_kinds
def cifar_resnet(
    depth: int = 20,
    classes: int = 10,
    *,
    shortcut: str = "A",
    width: float = 1.0,
    channel_dropout: Mapping[str, float] | None = None,
    preprocessing: Preprocessing = CIFAR10,
    seed: int = 0,
) -> Classifier:
    """ResNet-20, -32, -44, -56, … for CIFAR-10: `conv1`, blocks from `layer1.0`, `linear`.

    Args:
      depth: the number of layers with weights, 6n + 2.
      classes: number of classes.
      shortcut: where a block changes the shapes, `"A"`: every second pixel, and channels of zeros
        on both sides; `"B"`: a 1×1 convolution with batch norm.
      width: factor on the number of units of every layer.
      channel_dropout: for some of the layers, the probability that a channel is dropped in
        training.
      preprocessing: size, channels and standardization of its images.
      seed: the seed of the initial weights (He normal; batch norms 1 and 0).

    Returns:
      The network, with random weights.

    Raises:
      InputError: another depth, an unknown shortcut or layer, a number of classes or a width that
        leaves nothing, a rate that is not a probability, or a seed outside 0 to 2^32 - 1.
    """
    check_sizes("cifar_resnet", classes, width, seed)
    if depth < _OUTSIDE + _PER_BLOCK or (depth - _OUTSIDE) % _PER_BLOCK:
        raise InputError(f"cifar_resnet of depth={depth}: give 8, 14, 20, …, 6n + 2")
    if shortcut not in ("A", "B"):
        raise InputError(f"cifar_resnet with shortcut={shortcut!r}: give 'A' or 'B'")
    layers = ["conv1", *block_layers([_blocks(depth)] * len(_WIDTHS))]
    rates = check_dropout_layers(channel_dropout, layers, "cifar_resnet")
    module = CifarResNet(
        depth,
        classes,
        shortcut=shortcut,
        channels=preprocessing.channels,
        width=width,
        channel_dropout=rates,
        seed=seed,
    )
    architecture = Architecture.of(
        "cifar_resnet",
        depth=depth,
        classes=classes,
        shortcut=shortcut,
        width=width,
        channel_dropout=rates,
        preprocessing=dataclasses.asdict(preprocessing),
    )
    return nnx_classifier(
        module, preprocessing=preprocessing, name="cifar_resnet", architecture=architecture
    )


def _blocks(depth: int) -> int:
    """Blocks in each group."""
    return (depth - _OUTSIDE) // _PER_BLOCK
