"""Whether the importance rank depends on the choice of images (Zhao and Zhang 2021, §3.5)."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Int64

from .._arguments import as_array, check_whole, whole_array
from .._bounds import SEEDS, check_numbers, check_table
from .._errors import InputError
from .._kinds import checks_kinds
from ._entropy import effectiveness, importance_order


def random_subsets(
    num_images: int, size: int, *, num_subsets: int = 100, seed: int = 0
) -> Int64[np.ndarray, "subsets size"]:
    """Random sets of images, each without repetition: 𝒢 of Zhao and Zhang 2021.

    Args:
      num_images: the number of images.
      size: images per subset, K.
      num_subsets: the number of subsets.
      seed: the seed of the draw.

    Returns:
      `[subsets, size]`, numbers of images, sorted as drawn.

    Raises:
      InputError: a number is below 1, a subset is larger than the set, the subsets hold more
        than 2^26 numbers, or the seed is outside 0 to 2^32 - 1.
    """
    check_whole(num_images=num_images, size=size, num_subsets=num_subsets)
    if num_subsets < 1 or not 1 <= size <= num_images:
        raise InputError(
            f"{num_subsets} subsets of {size} out of {num_images} images: give at least one "
            "subset, of 1 to all images"
        )
    check_table(num_subsets, size, f"num_subsets={num_subsets}")
    check_numbers(seed=(seed, SEEDS))
    random = np.random.default_rng(seed)
    return np.stack([random.choice(num_images, size, replace=False) for _ in range(num_subsets)])


@checks_kinds
def importance_orders(
    births: Any, subsets: Any, *, p: float | None = None, convention: str = "paper"
) -> Int64[np.ndarray, "subsets units"]:
    """The importance rank that each subset of the images gives (Zhao and Zhang 2021, eq. 11).

    Args:
      births: birth points on all images, `[images, units]`.
      subsets: indices of images, `[subsets, size]`.
      p: as for `effectiveness`.
      convention: as for `effectiveness`.

    Returns:
      `[subsets, units]`, for each subset the units, the most effective first.

    Raises:
      InputError: as `effectiveness`, or an index is out of range.
    """
    values, chosen = as_array(births, "birth points"), whole_array(subsets, "subsets")
    if values.ndim != 2 or chosen.ndim != 2:
        raise InputError(
            f"birth points of shape {values.shape} and subsets of shape {chosen.shape}: give "
            "[images, units] and [subsets, size]"
        )
    outside = chosen[(chosen < 0) | (chosen >= len(values))]
    if outside.size:
        raise InputError(f"image {outside[0]} of a subset: there are images 0 to {len(values) - 1}")
    return np.stack(
        [
            importance_order(effectiveness(values[each], p=p, convention=convention))
            for each in chosen
        ]
    )


def times_in_top(ranks: Any, *, top: int = 20) -> Int64[np.ndarray, " units"]:
    """stat_j: how many of the ranks have unit j among their first (Zhao and Zhang 2021, eq. 12).

    Args:
      ranks: units in order of importance, `[subsets, units]`.
      top: how many units are the first.

    Returns:
      `[units]`, counts from 0 to the number of subsets.

    Raises:
      InputError: there are fewer units, or a rank names one that does not exist.
    """
    values = whole_array(ranks, "ranks")
    if values.ndim != 2:
        raise InputError(f"ranks of shape {values.shape}: give [subsets, units]")
    _check_share(top, values.shape[1], "top")
    outside = values[(values < 0) | (values >= values.shape[1])]
    if outside.size:
        raise InputError(
            f"unit {outside[0]} in a rank of {values.shape[1]} units: give each unit once, from 0 "
            f"to {values.shape[1] - 1}"
        )
    return np.bincount(values[:, :top].ravel(), minlength=values.shape[1])


def most_often_in_top(
    ranks: Any, *, top: int = 20, num_units: int = 15
) -> Int64[np.ndarray, " chosen"]:
    """IND_K: the units that are most often among the first (Zhao and Zhang 2021, eq. 13).

    Args:
      ranks: as for `times_in_top`.
      top: as for `times_in_top`.
      num_units: how many are returned, most often first; ties go to the lower index.

    Returns:
      `[chosen]`, numbers of units.

    Raises:
      InputError: there are fewer units.
    """
    times = times_in_top(ranks, top=top)
    _check_share(num_units, len(times), "num_units")
    return np.argsort(-times, kind="stable")[:num_units]


def stability_ratio(
    ranks: Any, reference: Any, *, top: int = 20, num_units: int = 10, reference_top: int = 15
) -> float:
    """How surely subsets find the units that all images find (0 to 1; Zhao and Zhang 2021, eq. 14).

    The mean, over the units that are most often among the first of the subsets' ranks, of the share
    of subsets that have them there, 0 for units that are not among the first of the reference.

    Args:
      ranks: of the subsets, as for `times_in_top`.
      reference: the importance rank of all images, `[units]`.
      top: as for `times_in_top`.
      num_units: the number of units in the mean.
      reference_top: how many units are the first of the reference.

    Returns:
      A share from 0 to 1.

    Raises:
      InputError: there are fewer units, or the ranks are of different units.
    """
    order = whole_array(reference, "reference")
    times = times_in_top(ranks, top=top)
    if order.ndim != 1:
        raise InputError(f"reference of shape {order.shape}: give [units]")
    if len(order) != len(times):
        raise InputError(
            f"ranks of {len(times)} units with a reference of {len(order)}: rank the same units"
        )
    _check_share(reference_top, len(order), "reference_top")
    chosen = most_often_in_top(ranks, top=top, num_units=num_units)
    found = np.isin(chosen, order[:reference_top])
    return float((times[chosen] / len(np.asarray(ranks)) * found).mean())


def _check_share(number: int, units: int, name: str) -> None:
    check_whole(**{name: number})
    if not 1 <= number <= units:
        raise InputError(f"{name}={number}: give a number from 1 to {units}, the number of units")
