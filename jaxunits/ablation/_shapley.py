"""Shapley values: what a unit adds to those already present, over random orders of a layer."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Unpack

import numpy as np
import xarray as xr
from jaxtyping import Float64, Int, Int64

from .. import execution
from .._arguments import check_real, from_options
from .._bounds import SEEDS, Range, check_numbers, check_table
from .._errors import InputError
from ..data import Dataset
from ..execution import Progress
from ..networks import Classifier
from ..results import class_coordinates
from ._counts import LOSS_UNITS
from ._execution import Execution, Options
from ._orders import masks_of_orders
from ._question import Values, question_of
from ._rounds import OneRound, Sums, in_rounds

# Of one round, at most: a batch is evaluated under all of them before the next.
_MASKS = 2048
# From how many pairs on a standard error says when to stop.
_LEAST_PAIRS = 8

_DESCRIPTIONS = {
    "shapley": ("share of images", "Shapley value of the unit for the accuracy"),
    "shapley_error": ("share of images", "its standard error"),
    "shapley_by_class": ("share of images", "Shapley value for the accuracy of the class"),
    "shapley_by_class_error": ("share of images", "its standard error"),
    "loss_shapley": ("nats per image", "Shapley value for minus the mean cross-entropy"),
    "loss_shapley_error": ("nats per image", "its standard error"),
    "contributed": ("images", "images of the class that the unit makes correct, over all orders"),
    "n_images": ("images", "images of the class"),
    "correct_before": ("images", "correct images with all units"),
    "correct_without": ("images", "correct images with none of the units"),
}


class Spread(NamedTuple):
    """What units contribute in pairs of an order and its reverse; memory does not grow with them.

    Of each unit there is a column for every class, the images of it that become correct, then the
    images of all classes, and the nats that are gained over all images.

    Attributes:
      pairs: how many.
      contributed: images of each class, the sum over both orders of all pairs.
      mean: over pairs, of what both orders contribute together.
      squares: sums of the squared distances from the mean.
    """

    pairs: int
    contributed: Int64[np.ndarray, "units classes"]
    mean: Float64[np.ndarray, "units columns"]
    squares: Float64[np.ndarray, "units columns"]

    @classmethod
    def of_none(cls, units: int, classes: int) -> Spread:
        """Of no pair."""
        nothing = np.zeros((units, classes + 2))
        return cls(0, np.zeros((units, classes), np.int64), nothing, nothing)


def shapley(
    network: Classifier,
    layer: str,
    data: Dataset,
    *,
    num_orders: int = 256,
    images_per_order: int | None = None,
    standard_error: float | None = None,
    values: Values = "zero",
    reference: Dataset | None = None,
    seed: int = 0,
    file: str | Path | None = None,
    progress: Progress | bool | None = None,
    **options: Unpack[Options],
) -> xr.Dataset:
    r"""Shapley value of every unit of a layer (Ghorbani and Zou 2020, "Neuron Shapley").

    $$\phi_u = \mathbb{E}_\pi\left[ v(S^\pi_u \cup \{u\}) - v(S^\pi_u) \right]$$

    The mean of what a unit adds to the accuracy of the network, or takes from its loss, when it
    joins the units after it in a random order of the layer: the mean of a cumulative ablation's
    steps. Orders come in pairs, each with its reverse, which cancels much of the noise. The values
    of a layer sum exactly to the accuracy with all units minus that with none, in every order.

    With `images_per_order` the images are shared out at random among groups of that size, each of
    which has random orders of its own: as many more orders in all for the same number of images and
    masks, and a smaller error where the images agree on the orders' steps. The values are still
    those of all images, without bias, and sum exactly as before; the standard errors are of the
    spread over each group's pairs.

    Args:
      network: as in `sweep`.
      layer: the layer.
      data: the images.
      num_orders: the maximum number of orders along which an image is evaluated; rounded up to
        whole pairs and rounds of pairs.
      images_per_order: how many images are evaluated along the same orders, at most; None for all.
        Small groups cost time: each is a pass of its own.
      standard_error: stop as soon as the standard error of every unit's overall value (share of
        images) is at most this, after at least 16 orders; None for all orders.
      values: what an ablated unit gives, as in `sweep`.
      reference: images for the means, or to draw from; `data` by default.
      seed: the seed of the orders, and of the draw of `values="resample"`.
      file: where the result is kept, as in `sweep`; an interruption loses at most one round.
      progress: called with the images done and the total, over all rounds.
      **options: execution options, see `Execution`.

    Returns:
      By `unit`: `shapley`, `loss_shapley` (positive where the unit lowers the loss) and their
      standard errors over pairs, `_error`. By `unit` and `class`: `shapley_by_class`, its
      `_error`, and `contributed`, the same in images, summed over orders. By `class`: `n_images`,
      `correct_before` with all units, `correct_without` with none. A class without images has NaN.
      The attribute `orders` is the number of orders used, for each image.

    Raises:
      InputError: num_orders is below 4, images_per_order is below 1 or gives more groups than fit
        in memory, standard_error is not a positive number; and as in `sweep`.
    """
    execution.check_call(network, file, progress)
    carried_out = from_options(Execution, options, shapley)
    check_numbers(num_orders=(num_orders, Range(4, whole=True)), seed=(seed, SEEDS))
    _check_precision(images_per_order, standard_error)
    question = question_of(
        network, layer, data, carried_out, values=values, reference=reference, seed=seed
    )
    draws = _Draws.of(question.layer.num_units, num_orders, len(data), images_per_order, seed)
    check_table(
        *(draws.groups * draws.units, len(data.class_names)),
        f"images_per_order={images_per_order} of {len(data):,} images",
    )
    settings = {
        **question.settings("shapley", masks="random orders"),
        "orders_at_most": str(2 * draws.rounds * draws.pairs),
        "images_per_order": str(draws.largest),
        "standard_error": "none" if standard_error is None else repr(float(standard_error)),
        "seed": str(seed),
    }

    def measured(one_round: OneRound) -> xr.Dataset:
        spread, ends = _evaluated(draws, one_round, len(data.class_names), standard_error)
        return _labeled(spread, ends, data.class_names)

    return execution.in_passes(
        *(question.layer.name, settings, carried_out, in_rounds(question, measured)),
        most=draws.rounds * draws.groups,
        alike=True,
        images=draws.largest,
        file=file,
        progress=progress,
        title=f"Shapley values of {question.layer.name}",
    )


def _check_precision(images_per_order: int | None, standard_error: float | None) -> None:
    if images_per_order is not None:
        check_numbers(images_per_order=(images_per_order, Range(1, whole=True)))
    if standard_error is not None:
        check_real(standard_error=standard_error)
        if not standard_error > 0:
            raise InputError(f"standard_error={standard_error}: give a positive number, or None")


class _Draws(NamedTuple):
    """What is drawn, round by round.

    Attributes:
      units: of the layer.
      images: of the data.
      groups: of images, each of which has orders of its own.
      rounds: how many there are, all of as many pairs, since programs are compiled for that.
      pairs: of an order and its reverse, for each group in a round.
      seed: of the draws.
    """

    units: int
    images: int
    groups: int
    rounds: int
    pairs: int
    seed: int

    @classmethod
    def of(
        cls, units: int, num_orders: int, images: int, images_per_order: int | None, seed: int
    ) -> _Draws:
        """Rounds of as many pairs as fit, and groups of at most so many images."""
        groups = math.ceil(images / (images_per_order or images))
        most = max(1, _MASKS // (2 * (units + 1)))
        pairs = math.ceil(num_orders / 2)
        rounds = math.ceil(pairs / most)
        return cls(units, images, groups, rounds, math.ceil(pairs / rounds), seed)

    @property
    def largest(self) -> int:
        """Images of the largest group."""
        return math.ceil(self.images / self.groups)

    def members(self) -> list[Int64[np.ndarray, " chosen"] | None]:
        """The images of each group, in their order; None for all."""
        if self.groups == 1:
            return [None]
        shuffled = np.random.default_rng([self.seed, 0, 0, 1]).permutation(self.images)
        return [np.sort(group) for group in np.array_split(shuffled, self.groups)]

    def orders(self, number: int, group: int) -> Int64[np.ndarray, "orders units"]:
        """Random orders of a round, each followed by its reverse."""
        random = np.random.default_rng([self.seed, number, group])
        drawn = [random.permutation(self.units) for _ in range(self.pairs)]
        return np.asarray([order for each in drawn for order in (each, each[::-1])], np.int64)


def _evaluated(
    draws: _Draws, one_round: OneRound, classes: int, standard_error: float | None
) -> tuple[Spread, Int64[np.ndarray, "3 classes"]]:
    """What units contribute in all rounds, or in as many as a precision takes.

    With the images of each class, and how many are correct with all units and with none.
    """
    count = functools.partial(Sums.of, classes=classes)
    groups, members = [Spread.of_none(draws.units, classes)] * draws.groups, draws.members()
    for number in range(draws.rounds):
        ends = np.zeros((3, classes), np.int64)
        for group, chosen in enumerate(members):
            orders = draws.orders(number, group)
            masks = masks_of_orders(orders, draws.units, inserted=False)
            sums = one_round(masks, Sums, count, chosen)
            groups[group] = _joined(groups[group], _spread(sums, orders))
            ends += np.stack([sums.images, *sums.correct[[0, draws.units + 1]]])
        if standard_error is not None and _is_known(groups, standard_error * draws.images):
            break
    return _over_groups(groups), ends


def _spread(sums: Sums, orders: Int[np.ndarray, "orders units"]) -> Spread:
    """What the steps of cumulative ablation take away, by unit."""
    count, units = orders.shape
    correct = sums.correct[1:].reshape(count, units + 1, -1)
    loss = sums.loss[1:].sum(1).reshape(count, units + 1)
    back = np.argsort(orders, axis=1)
    images = np.take_along_axis(correct[:, :-1] - correct[:, 1:], back[:, :, None], 1)
    gained = np.take_along_axis(loss[:, 1:] - loss[:, :-1], back, 1) / LOSS_UNITS
    by_class = images.reshape(count // 2, 2, units, -1).sum(1)
    loss_of_pairs = gained.reshape(count // 2, 2, units, 1).sum(1)
    pairs = np.concatenate([by_class, by_class.sum(2, keepdims=True), loss_of_pairs], axis=2)
    mean = pairs.mean(0)
    return Spread(count // 2, by_class.sum(0), mean, ((pairs - mean) ** 2).sum(0))


def _joined(one: Spread, other: Spread) -> Spread:
    """Of the pairs of both: Chan, Golub and LeVeque's update, which loses no digits."""
    pairs = one.pairs + other.pairs
    weight, apart = other.pairs / pairs, other.mean - one.mean
    return Spread(
        pairs,
        one.contributed + other.contributed,
        one.mean + apart * weight,
        one.squares + other.squares + apart**2 * (one.pairs * weight),
    )


def _over_groups(groups: Sequence[Spread]) -> Spread:
    """Of the images of all groups together, whose orders have nothing to do with one another."""
    contributed, mean, squares = (sum(parts) for parts in list(zip(*groups, strict=True))[1:])
    return Spread(groups[0].pairs, contributed, mean, squares)


def _errors(spread: Spread) -> Float64[np.ndarray, "units columns"]:
    """Standard errors of the means over orders, of which a pair has two."""
    return np.sqrt(spread.squares / (spread.pairs * (spread.pairs - 1))) / 2


def _is_known(groups: Sequence[Spread], images: float) -> bool:
    """Whether every unit's overall value is known to so many images; a few pairs cannot tell."""
    several = len(groups) * (groups[0].pairs - 1) >= _LEAST_PAIRS - 1
    return several and bool(_errors(_over_groups(groups))[:, -2].max() <= images)


def _labeled(
    spread: Spread, ends: Int64[np.ndarray, "3 classes"], class_names: Sequence[str]
) -> xr.Dataset:
    """Means over orders and their standard errors, as shares of images."""
    images, before, without = ends
    every, present = images.sum(), np.where(images > 0, images, np.nan)
    mean, error = spread.mean / 2, _errors(spread)
    names, pair = list(map(str, class_names)), ("unit", "class")
    empty = [name for name, number in zip(names, images, strict=True) if number == 0]
    result = xr.Dataset(
        {
            "shapley": ("unit", mean[:, -2] / every),
            "shapley_error": ("unit", error[:, -2] / every),
            "shapley_by_class": (pair, mean[:, :-2] / present),
            "shapley_by_class_error": (pair, error[:, :-2] / present),
            "loss_shapley": ("unit", mean[:, -1] / every),
            "loss_shapley_error": ("unit", error[:, -1] / every),
            "contributed": (pair, spread.contributed),
            "n_images": ("class", images),
            "correct_before": ("class", before),
            "correct_without": ("class", without),
        },
        coords={"unit": np.arange(len(spread.contributed)), **class_coordinates(names)},
        attrs={"orders": 2 * spread.pairs, "empty_classes": ", ".join(empty)},
    )
    for name, (unit, description) in _DESCRIPTIONS.items():
        result[name].attrs = {"units": unit, "long_name": description}
    return result
