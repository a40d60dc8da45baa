"""ResNet18 (He, Zhang, Ren and Sun 2016) in torchvision's layout."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from flax import nnx
from jaxtyping import Array, Float

from .._errors import InputError
from .._kinds import checks_kinds
from ..data import CIFAR10, IMAGENET, Preprocessing
from ._architecture import Architecture
from ._classifier import Classifier
from ._convolution import batch_norm, convolution
from ._kernels import InitialKernels, dense
from ._nnx import nnx_classifier
from ._parts import channel_dropout as dropout_of
from ._parts import check_dropout_layers
from ._pooling import max_pool
from ._residual import add_groups, block_layers, through_groups
from ._sizes import check_sizes, scaled

_WIDTHS = (64, 128, 256, 512)
_BLOCKS = 2


class ResNet18(nnx.Module):
    """A stem `conv1`, groups of blocks `layer1` to `layer4`, a global average, `fc`."""

    def __init__(
        self,
        classes: int,
        *,
        channels: int = 3,
        stem: str = "imagenet",
        width: float = 1.0,
        channel_dropout: Mapping[str, float] | None = None,
        seed: int = 0,
    ) -> None:
        """Draw its weights; see `resnet18` for the arguments."""
        kernels = InitialKernels(seed)
        rates = dict(channel_dropout or {})
        widths = [scaled(units, width) for units in _WIDTHS]
        size, strides, padding = (3, 1, 1) if stem == "cifar" else (7, 2, 3)
        self.conv1 = convolution(
            channels,
            widths[0],
            size,
            strides=strides,
            padding=padding,
            bias=False,
            kernel_init=kernels.he,
        )
        self.bn1 = batch_norm(widths[0], kernels.rngs)
        self.conv1_dropout = dropout_of(rates.get("conv1", 0.0), kernels.rngs)
        self.pooled = stem == "imagenet"
        self.groups = add_groups(self, widths, _BLOCKS, shortcut="B", rates=rates, kernels=kernels)
        self.fc = dense(widths[-1], classes, kernels.lecun)

    def __call__(
        self, images: Float[Array, "images height width channels"]
    ) -> Float[Array, "images classes"]:
        """Logits."""
        maps = self.conv1_dropout(nnx.relu(self.bn1(self.conv1(images))))
        if self.pooled:
            maps = max_pool(maps, 3, 2, 1)
        return self.fc(through_groups(self, self.groups, maps).mean((1, 2)))


@checks_kinds
def resnet18(
    classes: int = 1000,
    *,
    stem: str = "imagenet",
    width: float = 1.0,
    channel_dropout: Mapping[str, float] | None = None,
    preprocessing: Preprocessing | None = None,
    seed: int = 0,
) -> Classifier:
    """ResNet18: `conv1`, eight blocks of two convolutions, a global average, `fc` for the logits.

    Block `layer4.1` has the layers `layer4.1.conv1`, whose units are inside the block, and
    `layer4.1`, whose units are the block's output after the shortcut is added.

    Args:
      classes: number of classes.
      stem: `"imagenet"`: a 7×7 convolution of stride 2 and a max-pool; `"cifar"`: a 3×3 convolution
        of stride 1, for images of 32×32.
      width: factor on the number of units of every layer.
      channel_dropout: for some of the layers, the probability that a channel is dropped in
        training.
      preprocessing: size, channels and standardization of its images; by default torchvision's for
        ImageNet, or 32×32.
      seed: the seed of the initial weights (He normal; batch norms 1 and 0).

    Returns:
      The network, with random weights.

    Raises:
      InputError: an unknown stem or layer, a number of classes or a width that leaves nothing, a
        rate that is no probability, images too small for the layers, more than 2^29 parameters in a
        layer, or a seed outside 0 to 2^32 - 1.
    """
    check_sizes("resnet18", classes, width, seed)
    if stem not in ("imagenet", "cifar"):
        raise InputError(f"resnet18 with stem={stem!r}: give 'imagenet' or 'cifar'")
    preprocessing = preprocessing or (IMAGENET if stem == "imagenet" else CIFAR10)
    layers = ["conv1", *block_layers([_BLOCKS] * len(_WIDTHS))]
    rates = check_dropout_layers(channel_dropout, layers, "resnet18")
    module = ResNet18(
        classes,
        channels=preprocessing.channels,
        stem=stem,
        width=width,
        channel_dropout=rates,
        seed=seed,
    )
    architecture = Architecture.of(
        "resnet18",
        classes=classes,
        stem=stem,
        width=width,
        channel_dropout=rates,
        preprocessing=dataclasses.asdict(preprocessing),
    )
    return nnx_classifier(
        module, preprocessing=preprocessing, name="resnet18", architecture=architecture
    )
