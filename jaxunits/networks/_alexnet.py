"""AlexNet (Krizhevsky 2014) in torchvision's layout."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from flax import nnx

from .._kinds import checks_kinds
from ..data import IMAGENET, Preprocessing
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
from ._dropout import Dropout
from ._network import Network
from ._pools import MaxPool

# Units, side of the kernel, strides, padding; and the convolutions that a pool follows.
_CONVOLUTIONS = ((64, 11, 4, 2), (192, 5, 1, 2), (384, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1))
_POOLED = (1, 2, 5)
_MAP = (6, 6)


@checks_kinds
def alexnet(
    classes: int = 1000,
    *,
    width: float = 1.0,
    dropout: float = 0.0,
    channel_dropout: Mapping[str, float] | None = None,
    preprocessing: Preprocessing = IMAGENET,
    seed: int = 0,
) -> Network:
    """AlexNet: `conv1` to `conv5`, `fc6`, `fc7`, and `fc8` for the logits.

    Args:
      classes: how many classes it tells apart.
      width: every layer has so many times the units of the original.
      dropout: probability that a number read by `fc6` or `fc7` is dropped in training; torchvision
        takes 0.5.
      channel_dropout: for some of the convolutions, the probability that a channel is dropped in
        training.
      preprocessing: size, channels and standardisation of its images. Maps of other sizes than 6×6
        before `fc6` are averaged to that, so that weights fit images of any size.
      seed: of the initial weights (He normal; biases 0).

    Raises:
      InputError: a number of classes or a width that leaves nothing, an unknown layer, a rate that
        is no probability, images too small for the stages, more than 2^29 parameters in a layer, or
        a seed outside 0 to 2^32 - 1.
    """
    return _build("alexnet", False, classes, width, dropout, channel_dropout, preprocessing, seed)


@checks_kinds
def alexnet_bn(
    classes: int = 1000,
    *,
    width: float = 1.0,
    dropout: float = 0.0,
    channel_dropout: Mapping[str, float] | None = None,
    preprocessing: Preprocessing = IMAGENET,
    seed: int = 0,
) -> Network:
    """AlexNet with batch norm on the five convolutions (paper A §3.5); see `alexnet`."""
    return _build("alexnet_bn", True, classes, width, dropout, channel_dropout, preprocessing, seed)


def _build(
    builder: str,
    batch_norm: bool,
    classes: int,
    width: float,
    dropout: float,
    channel_dropout: Mapping[str, float] | None,
    preprocessing: Preprocessing,
    seed: int,
) -> Network:
    check_sizes(builder, classes, width, seed)
    rngs = nnx.Rngs(seed)
    stages = _convolutions(width, preprocessing.channels, batch_norm, rngs)
    stages = with_channel_dropout(stages, channel_dropout, builder)
    stages = averaged_to(stages, _MAP, preprocessing, builder)
    if dropout:
        stages.append(("flatten.dropout", Dropout(dropout)))
    stages, inputs = flattened(stages, preprocessing, builder)
    widths = [scaled(4096, width)] * 2
    dense = dense_layers(inputs, widths, classes, first=6, dropout=dropout, rngs=rngs)
    # What fc8 reads is not dropped.
    stages += [(name, stage) for name, stage in dense if name != "fc7.dropout"]
    return Network(
        stages,
        preprocessing=preprocessing,
        architecture=Architecture.of(
            builder,
            classes=classes,
            width=width,
            dropout=dropout,
            channel_dropout=dict(channel_dropout or {}),
            preprocessing=dataclasses.asdict(preprocessing),
        ),
    )


def _convolutions(width: float, inputs: int, batch_norm: bool, rngs: nnx.Rngs) -> Stages:
    stages: Stages = []
    for number, (units, size, strides, padding) in enumerate(_CONVOLUTIONS, start=1):
        outputs = scaled(units, width)
        convolution = Convolution(
            inputs,
            outputs,
            size,
            strides=strides,
            padding=padding,
            batch_norm=batch_norm,
            rngs=rngs,
        )
        stages.append((f"conv{number}", convolution))
        if number in _POOLED:
            stages.append((f"pool{number}", MaxPool(3, strides=2)))
        inputs = outputs
    return stages
