"""ResNet18 (He, Zhang, Ren and Sun 2016) in torchvision's layout."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from flax import nnx

from .._errors import InputError
from .._kinds import checks_kinds
from ..data import CIFAR10, IMAGENET, Preprocessing
from ._architecture import Architecture
from ._assembly import Stages, check_sizes, scaled, with_channel_dropout
from ._convolution import Convolution
from ._dense import Dense
from ._network import Network
from ._pools import AveragePool, MaxPool
from ._residual import Branch, Merge

_WIDTHS = (64, 128, 256, 512)


@checks_kinds
def resnet18(
    classes: int = 1000,
    *,
    stem: str = "imagenet",
    width: float = 1.0,
    channel_dropout: Mapping[str, float] | None = None,
    preprocessing: Preprocessing | None = None,
    seed: int = 0,
) -> Network:
    """ResNet18: `conv1`, eight blocks of two stages each, a global average, `fc` for the logits.

    Block `layer4.1` is the stages `layer4.1.conv1`, whose units are inside the block, and
    `layer4.1`, whose units are the block's output after the shortcut is added.

    Args:
      classes: how many classes it tells apart.
      stem: `"imagenet"`: a 7×7 convolution of stride 2 and a max-pool; `"cifar"`: a 3×3 convolution
        of stride 1, for images of 32×32.
      width: every layer has so many times the units of the original.
      channel_dropout: for some of the layers, the probability that a channel is dropped in
        training.
      preprocessing: size, channels and standardisation of its images; by default torchvision's for
        ImageNet, or 32×32.
      seed: of the initial weights (He normal; batch norms 1 and 0).

    Raises:
      InputError: an unknown stem or layer, a number of classes or a width that leaves nothing, a
        rate that is no probability, images too small for the stages, more than 2^29 parameters in a
        layer, or a seed outside 0 to 2^32 - 1.
    """
    check_sizes("resnet18", classes, width, seed)
    if stem not in ("imagenet", "cifar"):
        raise InputError(f"resnet18 with stem={stem!r}: give 'imagenet' or 'cifar'")
    preprocessing = preprocessing or (IMAGENET if stem == "imagenet" else CIFAR10)
    rngs = nnx.Rngs(seed)
    widths = [scaled(units, width) for units in _WIDTHS]
    stages = _stem(stem, preprocessing.channels, widths[0], rngs)
    inputs = widths[0]
    for group, outputs in enumerate(widths, start=1):
        stages += _block(f"layer{group}.0", inputs, outputs, 1 if group == 1 else 2, rngs)
        stages += _block(f"layer{group}.1", outputs, outputs, 1, rngs)
        inputs = outputs
    stages = with_channel_dropout(stages, channel_dropout, "resnet18")
    stages.append(("avgpool", AveragePool(None)))
    stages.append(("fc", Dense(inputs, classes, activation=None, rngs=rngs)))
    return Network(
        stages,
        preprocessing=preprocessing,
        architecture=Architecture.of(
            "resnet18",
            classes=classes,
            stem=stem,
            width=width,
            channel_dropout=dict(channel_dropout or {}),
            preprocessing=dataclasses.asdict(preprocessing),
        ),
    )


def _stem(stem: str, channels: int, outputs: int, rngs: nnx.Rngs) -> Stages:
    if stem == "cifar":
        return [("conv1", _normalised(channels, outputs, 3, padding=1, rngs=rngs))]
    return [
        ("conv1", _normalised(channels, outputs, 7, strides=2, padding=3, rngs=rngs)),
        ("maxpool", MaxPool(3, strides=2, padding=1)),
    ]


def _block(name: str, inputs: int, outputs: int, strides: int, rngs: nnx.Rngs) -> Stages:
    """The two stages of a residual block; the shortcut is projected where shapes change."""
    first = _normalised(inputs, outputs, 3, strides=strides, padding=1, rngs=rngs)
    second = _normalised(outputs, outputs, 3, padding=1, activation=None, rngs=rngs)
    projection = None
    if strides > 1 or inputs != outputs:
        projection = _normalised(
            inputs, outputs, 1, strides=strides, padding=0, activation=None, rngs=rngs
        )
    return [(f"{name}.conv1", Branch(first, projection)), (name, Merge(second))]


def _normalised(inputs: int, outputs: int, size: int, **settings: Any) -> Convolution:
    return Convolution(inputs, outputs, size, bias=False, batch_norm=True, **settings)
