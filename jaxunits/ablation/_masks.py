"""Masks for the common questions: which units are silenced together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from .._arguments import check_whole, whole_array
from .._bounds import SEEDS, Range, check_numbers, check_table
from .._errors import InputError

Masks = Float32[np.ndarray, "masks units"]


def single_units(units: int) -> Float32[np.ndarray, "units units"]:
    """Every unit of a layer ablated alone: mask i ablates unit i (paper A §2.1).

    Raises:
      InputError: the layer has no units.
    """
    _check_units(units)
    check_table(units, units, f"units={units}")
    return 1 - np.eye(units, dtype=np.float32)


def groups(units: int, members: Any) -> Masks:
    """Groups of units, each ablated together.

    Args:
      units: how many units the layer has.
      members: the units of each group; an empty group ablates nothing.

    Raises:
      InputError: a unit does not exist or is no whole number, or this is no list of groups.
    """
    _check_units(units)
    if isinstance(members, str) or not isinstance(members, Sequence | np.ndarray):
        raise InputError(
            f"groups of type {type(members).__name__}: give a list of lists of units, such as "
            "[[0, 3], [5]]"
        )
    check_table(max(1, len(members)), units, f"units={units}")
    masks = np.ones((len(members), units), np.float32)
    for number, (mask, group) in enumerate(zip(masks, members, strict=True)):
        mask[_indices(units, group, number)] = 0
    return masks


def all_but(units: int, members: Any) -> Masks:
    """Groups of units, each the only ones that stay.

    Args:
      units: how many units the layer has.
      members: the units that stay, group by group.

    Raises:
      InputError: a unit does not exist or is no whole number, or this is no list of groups.
    """
    return 1 - groups(units, members)


def random_groups(units: int, size: int, count: int, *, seed: int) -> Masks:
    """Groups of `size` units drawn without replacement, each ablated together.

    Args:
      units: how many units the layer has.
      size: units a group.
      count: how many groups.
      seed: of the draw.

    Raises:
      InputError: the group is larger than the layer, the count is negative, or the seed is outside
        0 to 2^32 - 1.
    """
    _check_units(units)
    check_whole(size=size)
    if not 0 <= size <= units:
        raise InputError(f"random groups of {size} units in a layer of {units}: give 0 to {units}")
    check_numbers(count=(count, Range(0, whole=True)), seed=(seed, SEEDS))
    check_table(max(1, count), units, f"count={count}, units={units}")
    random = np.random.default_rng(seed)
    return groups(units, [random.choice(units, size, replace=False).tolist() for _ in range(count)])


def _indices(units: int, group: Any, number: int) -> Int64[np.ndarray, " members"]:
    members = whole_array(group, "units", f" of group {number}")
    if members.ndim != 1:
        raise InputError(
            f"group {number} of shape {members.shape}: give a list of lists of units, such as "
            "[[0, 3], [5]]"
        )
    for unit in members[(members < 0) | (members >= units)]:
        raise InputError(f"unit {unit} in a layer of {units}: give 0 to {units - 1}")
    return members


def _check_units(units: int) -> None:
    check_whole(units=units)
    if units < 1:
        raise InputError(f"units={units}: give the units of a layer, at least 1")
