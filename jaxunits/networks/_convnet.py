"""The convolutional network of paper C."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from flax import nnx

from .._errors import unknown_name
from ..data import Preprocessing
from ._architecture import Architecture
from ._convolution import Convolution
from ._dense import Dense, Flatten
from ._mlp import CIFAR, check_widths
from ._network import Network, trace_shapes
from ._pools import MaxPool
from ._stages import Stage


def convnet(
    classes: int,
    *,
    widths: Sequence[int] = (64, 64, 128, 128),
    pool_after: Sequence[str] = ("conv2", "conv4"),
    dense: Sequence[int] = (),
    preprocessing: Preprocessing = CIFAR,
    seed: int = 0,
) -> Network:
    """3×3 convolutions of stride 1 with ReLU, `conv1`, `conv2`, …, then `logits` (paper C's).

    Args:
      classes: how many classes it tells apart.
      widths: units of each convolution.
      pool_after: the convolutions that are followed by a 2×2 max-pool.
      dense: units of dense layers between the convolutions and the logits, named `fc5`, … on.
      preprocessing: size, channels and standardisation of its images.
      seed: of the initial weights (He normal; biases 0).

    Raises:
      InputError: no layers, a width or number of classes below 1, a pool after a layer that does
        not exist, or images too small for the pools.
    """
    check_widths("convnet", classes, [*widths, *dense])
    names = [f"conv{number}" for number in range(1, len(widths) + 1)]
    for name in pool_after:
        if name not in names:
            raise unknown_name("layer", name, names, "pool_after: the network")
    rngs = nnx.Rngs(seed)
    stages: list[tuple[str, Stage]] = []
    channels = [preprocessing.channels, *widths]
    for number, name in enumerate(names):
        stages.append((name, Convolution(channels[number], channels[number + 1], rngs=rngs)))
        if name in pool_after:
            stages.append((f"pool{number + 1}", MaxPool()))
    stages.append(("flatten", Flatten()))
    (flat,) = trace_shapes(stages, preprocessing, "network 'convnet'")["flatten"]
    sizes = [flat, *dense]
    for number, outputs in enumerate(dense):
        name = f"fc{len(widths) + number + 1}"
        stages.append((name, Dense(sizes[number], outputs, rngs=rngs)))
    stages.append(("logits", Dense(sizes[-1], classes, activation=None, rngs=rngs)))
    return Network(
        stages,
        preprocessing=preprocessing,
        architecture=Architecture.of(
            "convnet",
            classes=classes,
            widths=list(widths),
            pool_after=list(pool_after),
            dense=list(dense),
            preprocessing=dataclasses.asdict(preprocessing),
        ),
    )
