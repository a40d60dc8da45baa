"""Masks for common experiments: which units are ablated together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from .._arguments import check_whole, whole_array
from .._bounds import SEEDS, Range, check_numbers, check_table
from .._errors import InputError

Masks = Float32[np.ndarray, "masks units"]


def single_units(num_units: int) -> Float32[np.ndarray, "units units"]:
    """Every unit of a layer ablated alone: mask i ablates unit i (Zhou et al. 2018, §2.1).

    Args:
      num_units: how many units the layer has.

    Returns:
      `[masks, units]`, the identity with 0 and 1 exchanged.

    Raises:
      InputError: the layer has no units.
    """
    _check_units(num_units)
    check_table(num_units, num_units, f"num_units={num_units}")
    return 1 - np.eye(num_units, dtype=np.float32)


def groups(num_units: int, members: Any) -> Masks:
    """Groups of units, each ablated together.

    Args:
      num_units: how many units the layer has.
      members: the units of each group; an empty group ablates nothing.

    Returns:
      `[masks, units]`, one mask per row: 1 keeps a unit, 0 ablates it.

    Raises:
      InputError: a unit does not exist or is not an integer, or `members` is not a list of groups.
    """
    _check_units(num_units)
    if isinstance(members, str) or not isinstance(members, Sequence | np.ndarray):
        raise InputError(
            f"groups of type {type(members).__name__}: give a list of lists of units, such as "
            "[[0, 3], [5]]"
        )
    check_table(max(1, len(members)), num_units, f"num_units={num_units}")
    masks = np.ones((len(members), num_units), np.float32)
    for number, (mask, group) in enumerate(zip(masks, members, strict=True)):
        mask[_indices(num_units, group, number)] = 0
    return masks


def all_but(num_units: int, members: Any) -> Masks:
    """Groups of units that are kept, with all other units ablated.

    Args:
      num_units: how many units the layer has.
      members: the units to keep, group by group.

    Returns:
      `[masks, units]`, one mask per row: 1 keeps a unit, 0 ablates it.

    Raises:
      InputError: a unit does not exist or is not an integer, or `members` is not a list of groups.
    """
    return 1 - groups(num_units, members)


def random_groups(num_units: int, size: int, num_groups: int, *, seed: int = 0) -> Masks:
    """Groups of `size` units drawn without replacement, each ablated together.

    Args:
      num_units: how many units the layer has.
      size: units per group.
      num_groups: how many groups.
      seed: the seed of the draw.

    Returns:
      `[masks, units]`, one mask per row: 1 keeps a unit, 0 ablates it.

    Raises:
      InputError: a group is larger than the layer, the number of groups is negative, or the seed is
        outside 0 to 2^32 - 1.
    """
    _check_units(num_units)
    check_whole(size=size)
    if not 0 <= size <= num_units:
        raise InputError(
            f"random groups of {size} units in a layer of {num_units}: give 0 to {num_units}"
        )
    check_numbers(num_groups=(num_groups, Range(0, whole=True)), seed=(seed, SEEDS))
    check_table(max(1, num_groups), num_units, f"num_groups={num_groups}, num_units={num_units}")
    random = np.random.default_rng(seed)
    drawn = (random.choice(num_units, size, replace=False) for _ in range(num_groups))
    return groups(num_units, [each.tolist() for each in drawn])


def _indices(num_units: int, group: Any, number: int) -> Int64[np.ndarray, " members"]:
    members = whole_array(group, "units", f" of group {number}")
    if members.ndim != 1:
        raise InputError(
            f"group {number} of shape {members.shape}: give a list of lists of units, such as "
            "[[0, 3], [5]]"
        )
    for unit in members[(members < 0) | (members >= num_units)]:
        raise InputError(f"unit {unit} in a layer of {num_units}: give 0 to {num_units - 1}")
    return members


def _check_units(num_units: int) -> None:
    check_whole(num_units=num_units)
    if num_units < 1:
        raise InputError(
            f"num_units={num_units}: give the number of units of the layer, at least 1"
        )
