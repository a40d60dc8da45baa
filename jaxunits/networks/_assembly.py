"""What the builders of the papers' networks share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from flax import nnx

from .._bounds import SEEDS, Range, check_numbers
from .._errors import InputError, unknown_name
from ..data import Preprocessing
from ._dense import Dense, Flatten
from ._dropout import Dropout
from ._network import trace_shapes
from ._pools import AdaptiveAveragePool
from ._stages import Stage

Stages = list[tuple[str, Stage]]


def scaled(units: int, width: float) -> int:
    """How many units are left of a layer in a narrower or wider network; at least one."""
    return max(1, round(units * width))


def check_sizes(builder: str, classes: int, width: float, seed: int) -> None:
    """Refuse a network without classes or units, and seeds that JAX does not tell apart.

    Raises:
      InputError: naming the value.
    """
    if classes < 1 or width not in Range(0, open="least"):
        raise InputError(
            f"{builder} with classes={classes} and width={width}: give at least one class and a "
            "width above 0"
        )
    check_numbers(seed=(seed, SEEDS))


def with_channel_dropout(stages: Stages, rates: Mapping[str, float] | None, builder: str) -> Stages:
    """The stages with channel dropout behind some of their layers.

    Args:
      stages: the stages.
      rates: for each of these layers the probability that a channel is dropped.
      builder: for errors.

    Raises:
      InputError: there is no such layer, or a rate is not in 0 ≤ rate < 1.
    """
    rates = rates or {}
    names = [name for name, stage in stages if stage.units is not None]
    for name in rates:
        if name not in names:
            raise unknown_name("layer", name, names, f"channel_dropout: network {builder!r}")
    result: Stages = []
    for name, stage in stages:
        result.append((name, stage))
        if name in rates:
            result.append((f"{name}.dropout", Dropout(rates[name], whole_channels=True)))
    return result


def averaged_to(
    stages: Stages, size: tuple[int, int], preprocessing: Preprocessing, builder: str
) -> Stages:
    """The stages with their last maps averaged to a size, if they have another (torchvision's)."""
    last = trace_shapes(stages, preprocessing, f"network {builder!r}")[stages[-1][0]]
    return stages if last[:-1] == size else [*stages, ("avgpool", AdaptiveAveragePool(size))]


def flattened(stages: Stages, preprocessing: Preprocessing, builder: str) -> tuple[Stages, int]:
    """The stages with their maps flattened, and how many numbers an image then is."""
    last = trace_shapes(stages, preprocessing, f"network {builder!r}")[stages[-1][0]]
    return [*stages, ("flatten", Flatten())], math.prod(last)


def dense_layers(
    inputs: int,
    widths: Sequence[int],
    classes: int,
    *,
    first: int,
    dropout: float = 0.0,
    rngs: nnx.Rngs,
) -> Stages:
    """Dense layers `fc6`, `fc7`, … with dropout behind each, then one for the logits.

    Args:
      inputs: numbers an image that the first of them reads.
      widths: units of each but the last.
      classes: outputs of the last.
      first: the number of the first of them.
      dropout: the probability that a unit is dropped; 0 leaves the stage out.
      rngs: of the weights.
    """
    stages: Stages = []
    for number, units in enumerate(widths, start=first):
        stages.append((f"fc{number}", Dense(inputs, units, rngs=rngs)))
        if dropout:
            stages.append((f"fc{number}.dropout", Dropout(dropout)))
        inputs = units
    name = f"fc{first + len(widths)}"
    return [*stages, (name, Dense(inputs, classes, activation=None, rngs=rngs))]
