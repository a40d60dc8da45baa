"""The multi-layer perceptron of paper C."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence

from flax import nnx

from .._bounds import SEEDS, check_numbers, check_parameter_count
from .._errors import InputError
from .._kinds import checks_kinds
from ..data import CIFAR10, Preprocessing
from ._architecture import Architecture
from ._assembly import dense_layers
from ._dense import Flatten
from ._network import Network


@checks_kinds
def mlp(
    classes: int,
    *,
    widths: Sequence[int] = (128, 512, 2048, 2048),
    dropout: float = 0.0,
    preprocessing: Preprocessing = CIFAR10,
    seed: int = 0,
) -> Network:
    """Dense layers with ReLU, `fc1`, `fc2`, …, then `logits` (paper C's MLP by default).

    Args:
      classes: how many classes it tells apart.
      widths: units of each layer.
      dropout: probability that a unit is dropped in training.
      preprocessing: size, channels and standardisation of its images.
      seed: of the initial weights (He normal; biases 0).

    Raises:
      InputError: no layers, a width or number of classes below 1, more than 2^29 parameters, a rate
        that is no probability, or a seed outside 0 to 2^32 - 1.
    """
    check_widths("mlp", classes, widths)
    check_numbers(seed=(seed, SEEDS))
    rngs = nnx.Rngs(seed)
    *hidden, (_, logits) = dense_layers(
        preprocessing.numbers, widths, classes, first=1, dropout=dropout, rngs=rngs
    )
    return Network(
        [("flatten", Flatten()), *hidden, ("logits", logits)],
        preprocessing=preprocessing,
        architecture=Architecture.of(
            "mlp",
            classes=classes,
            widths=list(widths),
            dropout=dropout,
            preprocessing=dataclasses.asdict(preprocessing),
        ),
    )


def check_widths(builder: str, classes: int, widths: Sequence[int]) -> None:
    """Refuse a network without layers, units or classes, or too large a one.

    Raises:
      InputError: naming the value.
    """
    if not widths or min(*widths, classes) < 1:
        raise InputError(
            f"{builder} with widths={tuple(widths)} and classes={classes}: give at least one "
            "layer, and whole numbers above 0"
        )
    sizes = [*widths, classes]
    check_parameter_count(
        sum(map(math.prod, itertools.pairwise(sizes))),
        f"{builder} with widths={tuple(widths)} and classes={classes}",
    )
