"""The multi-layer perceptron of paper C."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence

from flax import nnx

from .._errors import InputError
from ..data import Preprocessing
from ._architecture import Architecture
from ._dense import Dense, Flatten
from ._network import Network

CIFAR = Preprocessing(size=(32, 32), channels=3, mean=(0.5,), std=(0.25,))


def mlp(
    classes: int,
    *,
    widths: Sequence[int] = (128, 512, 2048, 2048),
    preprocessing: Preprocessing = CIFAR,
    seed: int = 0,
) -> Network:
    """Dense layers with ReLU, `fc1`, `fc2`, …, then `logits` (paper C's MLP by default).

    Args:
      classes: how many classes it tells apart.
      widths: units of each layer.
      preprocessing: size, channels and standardisation of its images.
      seed: of the initial weights (He normal; biases 0).

    Raises:
      InputError: no layers, or a width or number of classes below 1.
    """
    check_widths("mlp", classes, widths)
    rngs = nnx.Rngs(seed)
    sizes = [math.prod(preprocessing.size) * preprocessing.channels, *widths]
    layers = [
        (f"fc{number}", Dense(inputs, outputs, rngs=rngs))
        for number, (inputs, outputs) in enumerate(itertools.pairwise(sizes), start=1)
    ]
    return Network(
        [
            ("flatten", Flatten()),
            *layers,
            ("logits", Dense(sizes[-1], classes, activation=None, rngs=rngs)),
        ],
        preprocessing=preprocessing,
        architecture=Architecture.of(
            "mlp",
            classes=classes,
            widths=list(widths),
            preprocessing=dataclasses.asdict(preprocessing),
        ),
    )


def check_widths(builder: str, classes: int, widths: Sequence[int]) -> None:
    """Refuse a network without layers, units or classes.

    Raises:
      InputError: naming the value.
    """
    if not widths or min(*widths, classes) < 1:
        raise InputError(
            f"{builder} with widths={tuple(widths)} and classes={classes}: give at least one "
            "layer, and whole numbers above 0"
        )
