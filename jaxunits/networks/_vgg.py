"""VGG16 (Simonyan and Zisserman 2015, configuration D)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from flax import nnx

from .._errors import InputError
from .._kinds import checks_kinds
from ..data import CIFAR10, IMAGENET, Preprocessing
from ._architecture import Architecture
from ._assembly import (
    Stages,
    averaged_to,
    check_sizes,
    dense_layers,
    flattened,
    scaled,
    with_channel_dropout,
)
from ._convolution import Convolution
from ._network import Network
from ._pools import MaxPool

# Convolutions and their units, by group.
_GROUPS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
_MAP = (7, 7)


@checks_kinds
def vgg16(
    classes: int = 1000,
    *,
    head: str = "imagenet",
    width: float = 1.0,
    dropout: float = 0.0,
    channel_dropout: Mapping[str, float] | None = None,
    preprocessing: Preprocessing | None = None,
    seed: int = 0,
) -> Network:
    """VGG16: `conv1_1` to `conv5_3`, then dense layers, the last for the logits.

    Args:
      classes: how many classes it tells apart.
      head: `"imagenet"`: `fc6` and `fc7` of 4,096 units and `fc8`, in torchvision's layout;
        `"cifar"`: `fc6` of 512 units and `fc7`, for images of 32×32.
      width: every layer has so many times the units of the original.
      dropout: probability that a unit of the dense layers is dropped in training; torchvision
        takes 0.5.
      channel_dropout: for some of the convolutions, the probability that a channel is dropped in
        training.
      preprocessing: size, channels and standardisation of its images; by default torchvision's for
        ImageNet, or 32×32. Under the ImageNet head maps of other sizes than 7×7 before `fc6` are
        averaged to that, so that weights fit images of any size.
      seed: of the initial weights (He normal; biases 0).

    Raises:
      InputError: an unknown head or layer, a number of classes or a width that leaves nothing, a
        rate that is no probability, images too small for the stages, more than 2^29 parameters in a
        layer, or a seed outside 0 to 2^32 - 1.
    """
    return _build(
        "vgg16", False, classes, head, width, dropout, channel_dropout, preprocessing, seed
    )


@checks_kinds
def vgg16_bn(
    classes: int = 1000,
    *,
    head: str = "imagenet",
    width: float = 1.0,
    dropout: float = 0.0,
    channel_dropout: Mapping[str, float] | None = None,
    preprocessing: Preprocessing | None = None,
    seed: int = 0,
) -> Network:
    """VGG16 with batch norm on the convolutions; see `vgg16`."""
    return _build(
        "vgg16_bn", True, classes, head, width, dropout, channel_dropout, preprocessing, seed
    )


def _build(
    builder: str,
    batch_norm: bool,
    classes: int,
    head: str,
    width: float,
    dropout: float,
    channel_dropout: Mapping[str, float] | None,
    preprocessing: Preprocessing | None,
    seed: int,
) -> Network:
    check_sizes(builder, classes, width, seed)
    if head not in ("imagenet", "cifar"):
        raise InputError(f"{builder} with head={head!r}: give 'imagenet' or 'cifar'")
    preprocessing = preprocessing or (IMAGENET if head == "imagenet" else CIFAR10)
    rngs = nnx.Rngs(seed)
    stages = _convolutions(width, preprocessing.channels, batch_norm, rngs)
    stages = with_channel_dropout(stages, channel_dropout, builder)
    widths = [scaled(512, width)]
    if head == "imagenet":
        stages = averaged_to(stages, _MAP, preprocessing, builder)
        widths = [scaled(4096, width)] * 2
    stages, inputs = flattened(stages, preprocessing, builder)
    stages += dense_layers(inputs, widths, classes, first=6, dropout=dropout, rngs=rngs)
    return Network(
        stages,
        preprocessing=preprocessing,
        architecture=Architecture.of(
            builder,
            classes=classes,
            head=head,
            width=width,
            dropout=dropout,
            channel_dropout=dict(channel_dropout or {}),
            preprocessing=dataclasses.asdict(preprocessing),
        ),
    )


def _convolutions(width: float, inputs: int, batch_norm: bool, rngs: nnx.Rngs) -> Stages:
    stages: Stages = []
    for group, (count, units) in enumerate(_GROUPS, start=1):
        outputs = scaled(units, width)
        for number in range(1, count + 1):
            convolution = Convolution(inputs, outputs, padding=1, batch_norm=batch_norm, rngs=rngs)
            stages.append((f"conv{group}_{number}", convolution))
            inputs = outputs
        stages.append((f"pool{group}", MaxPool()))
    return stages
