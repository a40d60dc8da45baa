"""Synergies: what two units cost together beyond what each of them costs alone."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Unpack

import numpy as np
import xarray as xr
from jaxtyping import Float32, Int64
from numpy.typing import ArrayLike

from .. import execution
from .._arguments import from_options, whole_array
from .._bounds import SEEDS, Range, check_numbers, check_table
from .._errors import InputError
from ..data import Dataset
from ..execution import Progress
from ..networks import Classifier, Layer
from ..results import class_coordinates, fingerprint
from ._counts import LOSS_UNITS, sums_by_class
from ._engine import Answers
from ._execution import Execution, Options
from ._question import Values, question_of
from ._rounds import OneRound, Sums, in_rounds

# Of one round, at most: a batch is evaluated under all of them before the next.
_PAIRS = 2**13

_DESCRIPTIONS = {
    "synergy": ("share of images", "drop of both units − the drops of each alone"),
    "synergy_error": ("share of images", "its standard error over images"),
    "synergy_by_class": ("share of images", "synergy for the accuracy of the class"),
    "synergy_by_class_error": ("share of images", "its standard error over images"),
    "loss_synergy": ("nats per image", "synergy for the rise of the mean cross-entropy"),
    "overall_accuracy_drop": ("share of images", "accuracy drop with both units ablated"),
    "class_accuracy_drop": ("share of images", "accuracy drop of the class, both units ablated"),
    "unit_accuracy_drop": ("share of images", "accuracy drop with the unit alone ablated"),
    "correct": ("images", "correct images with both units ablated"),
    "correct_without_unit": ("images", "correct images with the unit alone ablated"),
    "correct_before": ("images", "correct images before ablation"),
    "n_images": ("images", "images of the class"),
}


class PairSums(NamedTuple):
    """Sums over some images; the rows are no ablation, each unit, each pair of a round.

    Attributes:
      images: of each class.
      correct: correct images.
      loss: cross-entropies, in `1 / LOSS_UNITS` nats.
      squares: of the images' synergies, which are −2 to 2.
    """

    images: Int64[np.ndarray, " classes"]
    correct: Int64[np.ndarray, "rows classes"]
    loss: Int64[np.ndarray, "rows classes"]
    squares: Int64[np.ndarray, "pairs classes"]

    @classmethod
    def of(
        cls, answers: Answers, pairs: Int64[np.ndarray, "pairs 2"], units: int, classes: int
    ) -> PairSums:
        """Of one batch."""
        right = (answers.prediction == answers.labels).astype(np.int8)
        synergy = _beyond(right[1 + units :], right[1 : 1 + units], right[0], pairs)
        squares = sums_by_class(synergy**2, answers.labels, classes)
        return cls(*Sums.of(answers, classes), squares)


def synergies(
    network: Classifier,
    layer: str,
    data: Dataset,
    *,
    pairs: ArrayLike | None = None,
    num_pairs: int | None = None,
    values: Values = "zero",
    reference: Dataset | None = None,
    seed: int = 0,
    file: str | Path | None = None,
    progress: Progress | bool | None = None,
    **options: Unpack[Options],
) -> xr.Dataset:
    r"""Synergy of pairs of units: the accuracy drop of both less the drops of each alone.

    $$s_{uv} = \Delta_{uv} - \Delta_u - \Delta_v$$

    Positive where two units back each other up, so that either can go but not both; negative where
    they serve the same images one after the other, so that the second costs nothing more; zero
    where they are independent. What a pair costs is what any mask costs: `ju.plan` tells.

    Args:
      network: as in `sweep`.
      layer: the layer.
      data: the images.
      pairs: `[pairs, 2]`: two distinct units in each row. None for all pairs of the layer.
      num_pairs: the number of pairs, drawn at random without replacement; None for all.
      values: what ablated units give, as in `sweep`.
      reference: images for the means, or to draw from; `data` by default.
      seed: the seed of the drawn pairs, and of the draw of `values="resample"`.
      file: where the result is kept, as in `sweep`; an interruption loses at most one round.
      progress: called with the images done and the total, over all rounds.
      **options: execution options, see `Execution`.

    Returns:
      With the dimension `pair`, whose coordinates `first` and `second` are its units: `synergy`,
      `loss_synergy` and `overall_accuracy_drop` of both; by `class` too: `synergy_by_class`,
      `class_accuracy_drop` and `correct`. Errors, `_error`, are of the images as a sample. By
      `unit`: `unit_accuracy_drop` and `correct_without_unit` of each alone. A class without images
      has NaN.

    Raises:
      InputError: a pair names a unit that does not exist or one twice, pairs and num_pairs are both
        given, there are fewer than two units; and as in `sweep`.
    """
    execution.check_call(network, file, progress)
    carried_out = from_options(Execution, options, synergies)
    check_numbers(seed=(seed, SEEDS))
    question = question_of(
        network, layer, data, carried_out, values=values, reference=reference, seed=seed
    )
    place, classes = question.layer, len(data.class_names)
    units = place.num_units
    chosen = _chosen(place, pairs, num_pairs, seed)
    check_table(len(chosen), classes, f"{len(chosen):,} pairs of layer {place.name!r}")
    settings = question.settings("synergies", masks=f"pairs {fingerprint(chosen)}")
    rounds = _rounds(chosen)

    def measured(one_round: OneRound) -> xr.Dataset:
        found = [
            one_round(
                _masks(each, units),
                PairSums,
                functools.partial(PairSums.of, pairs=each, units=units, classes=classes),
            )
            for each in rounds
        ]
        return _labeled(found, chosen, units, data.class_names)

    return execution.in_passes(
        *(place.name, settings, carried_out, in_rounds(question, measured)),
        most=len(rounds),
        alike=True,
        file=file,
        progress=progress,
        title=f"synergies of {place.name}",
    )


def _chosen(
    layer: Layer, pairs: ArrayLike | None, num_pairs: int | None, seed: int
) -> Int64[np.ndarray, "pairs 2"]:
    """The pairs that are asked for, the smaller unit first where they are not given."""
    if pairs is not None and num_pairs is not None:
        raise InputError("pairs and num_pairs are both given: give one of them")
    if pairs is not None:
        return _checked(whole_array(pairs, "pairs", f" for layer {layer.name!r}"), layer)
    units = layer.num_units
    if units < 2:
        raise InputError(f"layer {layer.name!r} has one unit: a pair needs two")
    every = units * (units - 1) // 2
    if num_pairs is None:
        check_table(every, 2, f"{every:,} pairs of layer {layer.name!r}: num_pairs={every}")
        return np.stack(np.triu_indices(units, 1), axis=1)
    check_numbers(num_pairs=(num_pairs, Range(1, every, whole=True)))
    drawn = np.random.default_rng(seed).choice(every, num_pairs, replace=False, shuffle=False)
    return _of_index(np.sort(drawn), units)


def _of_index(index: Int64[np.ndarray, " pairs"], units: int) -> Int64[np.ndarray, "pairs 2"]:
    """Pairs by their place among all, in the order of the first unit, then of the second."""
    starts = np.cumsum(np.arange(units - 1, 0, -1))
    first = np.searchsorted(starts, index, side="right")
    before = np.concatenate([[0], starts])[first]
    return np.stack([first, first + 1 + index - before], axis=1)


def _checked(pairs: Int64[np.ndarray, ...], layer: Layer) -> Int64[np.ndarray, "pairs 2"]:
    if pairs.ndim != 2 or pairs.shape[1] != 2 or len(pairs) == 0:
        raise InputError(f"pairs of shape {pairs.shape} for layer {layer.name!r}: give [pairs, 2]")
    outside = (pairs < 0) | (pairs >= layer.num_units)
    if outside.any():
        raise InputError(
            f"unit {pairs[outside][0]} in pairs of layer {layer.name!r}: give 0 to "
            f"{layer.num_units - 1}"
        )
    twice = pairs[:, 0] == pairs[:, 1]
    if twice.any():
        raise InputError(
            f"pair [{pairs[twice][0, 0]}, {pairs[twice][0, 0]}] of layer {layer.name!r}: give two "
            "distinct units"
        )
    return pairs


def _rounds(pairs: Int64[np.ndarray, "pairs 2"]) -> list[Int64[np.ndarray, "round 2"]]:
    """Rounds of as many pairs each; the last is filled up with pairs of the first."""
    rounds = math.ceil(len(pairs) / _PAIRS)
    size = math.ceil(len(pairs) / rounds)
    return np.split(np.resize(pairs, (rounds * size, 2)), rounds)


def _masks(pairs: Int64[np.ndarray, "pairs 2"], units: int) -> Float32[np.ndarray, "masks units"]:
    """Masks of each unit alone, then of each pair."""
    both = np.ones((len(pairs), units), np.float32)
    np.put_along_axis(both, pairs, 0, axis=1)
    return np.concatenate([1 - np.eye(units, dtype=np.float32), both])


def _beyond(both: Any, alone: Any, before: Any, pairs: Int64[np.ndarray, "pairs 2"]) -> Any:
    """The drop of both less the drops of each, of what is left under the masks."""
    first, second = pairs.T
    return alone[first] + alone[second] - both - before


def _labeled(
    found: Sequence[PairSums],
    pairs: Int64[np.ndarray, "pairs 2"],
    units: int,
    class_names: Sequence[str],
) -> xr.Dataset:
    """Synergies and what they come from, as shares of images."""
    images, correct, loss = found[0].images, found[0].correct, found[0].loss
    before, alone = correct[0], correct[1 : 1 + units]
    both, both_loss, squares = (
        np.concatenate(parts)[: len(pairs)]
        for parts in (
            [each.correct[1 + units :] for each in found],
            [each.loss[1 + units :] for each in found],
            [each.squares for each in found],
        )
    )
    every, present = images.sum(), np.where(images > 0, images, np.nan)
    synergy = _beyond(both, alone, before, pairs)
    # What is left of the loss is its negative: a loss rises where an accuracy drops.
    losses = -_beyond(both_loss.sum(1), loss[1 : 1 + units].sum(1), loss[0].sum(), pairs)
    names, pair = list(map(str, class_names)), ("pair", "class")
    empty = [name for name, number in zip(names, images, strict=True) if number == 0]
    result = xr.Dataset(
        {
            "synergy": ("pair", synergy.sum(1) / every),
            "synergy_error": ("pair", _error(synergy.sum(1), squares.sum(1), every)),
            "synergy_by_class": (pair, synergy / present),
            "synergy_by_class_error": (pair, _error(synergy, squares, images)),
            "loss_synergy": ("pair", losses / LOSS_UNITS / every),
            "overall_accuracy_drop": ("pair", (before - both).sum(1) / every),
            "class_accuracy_drop": (pair, (before - both) / present),
            "unit_accuracy_drop": ("unit", (before - alone).sum(1) / every),
            "correct": (pair, both),
            "correct_without_unit": (("unit", "class"), alone),
            "correct_before": ("class", before),
            "n_images": ("class", images),
        },
        coords={
            "first": ("pair", pairs[:, 0]),
            "second": ("pair", pairs[:, 1]),
            "unit": np.arange(units),
            **class_coordinates(names),
        },
        attrs={"empty_classes": ", ".join(empty)},
    )
    for name, (unit, description) in _DESCRIPTIONS.items():
        result[name].attrs = {"units": unit, "long_name": description}
    return result


def _error(total: np.ndarray, squares: np.ndarray, images: Any) -> np.ndarray:
    """Standard error of a mean over images; NaN for fewer than two."""
    number = np.where(np.asarray(images) > 1, images, np.nan)
    return np.sqrt((squares - total**2 / number) / (number * (number - 1)))
