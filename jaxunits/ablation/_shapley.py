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
from .._bounds import SEEDS, Range, check_numbers
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
from ._sweep import sweep

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

    With `images_per_order` every pair is evaluated on images of its own, drawn at random: at equal
    cost there are more orders, and the error is smaller where orders differ more than images do.
    The values are still estimates of those on all images, without bias, and their standard errors
    are of both draws. All images are evaluated with all units and with none, and what the layer
    contributes on them beyond what it does on a pair's images is shared out evenly among its units,
    so that the values of every pair sum exactly to that difference of accuracies. The share of a
    unit that changes nothing is not exactly 0 then.

    Args:
      network: as in `sweep`.
      layer: the layer.
      data: the images.
      num_orders: the maximum number of orders; rounded up to whole pairs and rounds of pairs.
      images_per_order: how many images an order and its reverse are evaluated on; None for all. As
        they are read anew for every pair, `ju.data.in_memory` saves decoding.
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
      `_error`, and `contributed`, the images that the unit makes correct, of those that each order
      is evaluated on, summed over orders. By `class`: `n_images`, `correct_before` with all units,
      `correct_without` with none. A class without images has NaN. The attribute `orders` is the
      number of orders used.

    Raises:
      InputError: num_orders is below 4, images_per_order is below 1, standard_error is not a
        positive number; and as in `sweep`.
    """
    execution.check_call(network, file, progress)
    carried_out = from_options(Execution, options, shapley)
    check_numbers(num_orders=(num_orders, Range(4, whole=True)), seed=(seed, SEEDS))
    _check_precision(images_per_order, standard_error)
    question = question_of(
        network, layer, data, carried_out, values=values, reference=reference, seed=seed
    )
    draws = _Draws.of(question.layer.num_units, num_orders, len(data), images_per_order, seed)
    settings = {
        **question.settings("shapley", masks="random orders"),
        "orders_at_most": str(2 * draws.rounds * draws.pairs),
        "images_per_order": "all" if draws.chosen is None else str(draws.chosen),
        "standard_error": "none" if standard_error is None else repr(float(standard_error)),
        "seed": str(seed),
    }

    def swept() -> xr.Dataset:
        return sweep(
            *(network, layer, data, np.zeros((1, draws.units), np.float32)),
            values=values,
            reference=reference,
            seed=seed,
            progress=False,
            **options,
        )

    def measured(one_round: OneRound) -> xr.Dataset:
        spread, sums = _evaluated(draws, one_round, len(data.class_names), standard_error)
        if draws.chosen is None:
            ends = np.stack([sums.images, *sums.correct[[0, draws.units + 1]]])
        else:
            both = swept()
            spread = _completed(spread, both)
            ends = np.stack([both.n_images, both.correct_before, both.correct[0]])
        return _labeled(spread, ends, data.class_names)

    return execution.in_passes(
        *(question.layer.name, settings, carried_out, in_rounds(question, measured)),
        most=draws.rounds,
        alike=True,
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
      chosen: how many of them a round is evaluated on; None for all.
      rounds: how many there are, all of as many pairs, since programs are compiled for that.
      pairs: of an order and its reverse, in a round.
      seed: of the draws.
    """

    units: int
    images: int
    chosen: int | None
    rounds: int
    pairs: int
    seed: int

    @classmethod
    def of(
        cls, units: int, num_orders: int, images: int, images_per_order: int | None, seed: int
    ) -> _Draws:
        """Rounds of as many pairs as are evaluated on the same images and fit."""
        chosen = images_per_order if (images_per_order or images) < images else None
        most = max(1, _MASKS // (2 * (units + 1))) if chosen is None else 1
        pairs = math.ceil(num_orders / 2)
        rounds = math.ceil(pairs / most)
        return cls(units, images, chosen, rounds, math.ceil(pairs / rounds), seed)

    def orders(self, number: int) -> Int64[np.ndarray, "orders units"]:
        """Random orders of a round, each followed by its reverse."""
        random = np.random.default_rng([self.seed, number])
        drawn = [random.permutation(self.units) for _ in range(self.pairs)]
        return np.asarray([order for each in drawn for order in (each, each[::-1])], np.int64)

    def images_of(self, number: int) -> Int64[np.ndarray, " chosen"] | None:
        """The images of a round, in their order; None for all."""
        if self.chosen is None:
            return None
        random = np.random.default_rng([self.seed, number, 1])
        return np.sort(random.choice(self.images, self.chosen, replace=False))


def _evaluated(
    draws: _Draws, one_round: OneRound, classes: int, standard_error: float | None
) -> tuple[Spread, Sums]:
    """What units contribute in all rounds, or in as many as a precision takes; and the last's sums.

    Where rounds have images of their own, what all units contribute together is left out.
    """
    spread = Spread.of_none(draws.units, classes)
    count = functools.partial(Sums.of, classes=classes)
    for number in range(draws.rounds):
        orders = draws.orders(number)
        masks = masks_of_orders(orders, draws.units, inserted=False)
        sums = one_round(masks, Sums, count, draws.images_of(number))
        scale = None if draws.chosen is None else draws.images / draws.chosen
        spread = _joined(spread, _spread(sums, orders, scale))
        if standard_error is not None and _is_known(spread, standard_error * draws.images):
            break
    return spread, sums


def _spread(
    sums: Sums, orders: Int[np.ndarray, "orders units"], scale: float | None = None
) -> Spread:
    """What the steps of cumulative ablation take away, by unit.

    Args:
      sums: along the orders.
      orders: each followed by its reverse.
      scale: how many images each of a sample stands for; what its units contribute together, which
        is known of all images, is left out then. None where the sums are of all images.
    """
    count, units = orders.shape
    correct = sums.correct[1:].reshape(count, units + 1, -1)
    loss = sums.loss[1:].sum(1).reshape(count, units + 1)
    back = np.argsort(orders, axis=1)
    images = np.take_along_axis(correct[:, :-1] - correct[:, 1:], back[:, :, None], 1)
    gained = np.take_along_axis(loss[:, 1:] - loss[:, :-1], back, 1) / LOSS_UNITS
    by_class = images.reshape(count // 2, 2, units, -1).sum(1)
    loss_of_pairs = gained.reshape(count // 2, 2, units, 1).sum(1)
    pairs = np.concatenate([by_class, by_class.sum(2, keepdims=True), loss_of_pairs], axis=2)
    if scale is not None:
        pairs = scale * (pairs - pairs.mean(1, keepdims=True))
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


def _completed(spread: Spread, swept: xr.Dataset) -> Spread:
    """With what all units contribute together, from all images under a mask of none."""
    by_class = (swept.correct_before - swept.correct[0]).values
    loss = float((swept.loss_sum[0] - swept.loss_sum_before).sum())
    together = np.array([*by_class, by_class.sum(), loss])
    return spread._replace(mean=spread.mean + 2 * together / len(spread.mean))


def _errors(spread: Spread) -> Float64[np.ndarray, "units columns"]:
    """Standard errors of the means over orders, of which a pair has two."""
    return np.sqrt(spread.squares / (spread.pairs * (spread.pairs - 1))) / 2


def _is_known(spread: Spread, images: float) -> bool:
    """Whether every unit's overall value is known to so many images; a few pairs cannot tell."""
    return spread.pairs >= _LEAST_PAIRS and bool(_errors(spread)[:, -2].max() <= images)


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
