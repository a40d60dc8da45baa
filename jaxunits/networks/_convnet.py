"""The convolutional network of paper C."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from flax import nnx

from .._bounds import SEEDS, check_numbers
from .._errors import unknown_name
from .._kinds import checks_kinds
from ..data import CIFAR10, Preprocessing
from ._architecture import Architecture
from ._assembly import Stages, dense_layers, flattened, with_channel_dropout
from ._convolution import Convolution
from ._mlp import check_widths
from ._network import Network
from ._pools import MaxPool


@checks_kinds
def convnet(
    classes: int,
    *,
    widths: Sequence[int] = (64, 64, 128, 128),
    pool_after: Sequence[str] = ("conv2", "conv4"),
    dense: Sequence[int] = (),
    batch_norm: bool = False,
    dropout: float = 0.0,
    channel_dropout: Mapping[str, float] | None = None,
    preprocessing: Preprocessing = CIFAR10,
    seed: int = 0,
) -> Network:
    """3×3 convolutions of stride 1 with ReLU, `conv1`, `conv2`, …, then `logits` (paper C's).

    Args:
      classes: how many classes it tells apart.
      widths: units of each convolution.
      pool_after: the convolutions that are followed by a 2×2 max-pool.
      dense: units of dense layers between the convolutions and the logits, named `fc5`, … on.
      batch_norm: whether each convolution has a batch norm before its non-linearity.
      dropout: probability that a unit of the dense layers is dropped in training.
      channel_dropout: for some of the convolutions, the probability that a channel is dropped in
        training.
      preprocessing: size, channels and standardisation of its images.
      seed: of the initial weights (He normal; biases 0).

    Raises:
      InputError: no layers, a width or number of classes below 1, a pool or dropout after a layer
        that does not exist, a rate that is no probability, images too small for the pools, more
        than 2^29 parameters, or a seed outside 0 to 2^32 - 1.
    """
    check_widths("convnet", classes, [*widths, *dense])
    check_numbers(seed=(seed, SEEDS))
    names = [f"conv{number}" for number in range(1, len(widths) + 1)]
    for name in pool_after:
        if name not in names:
            raise unknown_name("layer", name, names, "pool_after: the network")
    rngs = nnx.Rngs(seed)
    stages: Stages = []
    channels = [preprocessing.channels, *widths]
    for number, name in enumerate(names):
        inputs, outputs = channels[number : number + 2]
        convolution = Convolution(inputs, outputs, batch_norm=batch_norm, rngs=rngs)
        stages.append((name, convolution))
        if name in pool_after:
            stages.append((f"pool{number + 1}", MaxPool()))
    stages = with_channel_dropout(stages, channel_dropout, "convnet")
    stages, inputs = flattened(stages, preprocessing, "convnet")
    *hidden, (_, logits) = dense_layers(
        inputs, dense, classes, first=len(widths) + 1, dropout=dropout, rngs=rngs
    )
    stages += [*hidden, ("logits", logits)]
    return Network(
        stages,
        preprocessing=preprocessing,
        architecture=Architecture.of(
            "convnet",
            classes=classes,
            widths=list(widths),
            pool_after=list(pool_after),
            dense=list(dense),
            batch_norm=batch_norm,
            dropout=dropout,
            channel_dropout=dict(channel_dropout or {}),
            preprocessing=dataclasses.asdict(preprocessing),
        ),
    )
