"""Masks for the common questions: which units are silenced together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32

from .._bounds import SEEDS, check_numbers
from .._errors import InputError

Masks = Float32[np.ndarray, "masks units"]


def single_units(units: int) -> Float32[np.ndarray, "units units"]:
    """Every unit of a layer ablated alone: mask i ablates unit i (paper A §2.1)."""
    return 1 - np.eye(units, dtype=np.float32)


def groups(units: int, members: Sequence[Sequence[int]]) -> Masks:
    """Groups of units, each ablated together.

    Args:
      units: how many units the layer has.
      members: the units of each group; an empty group ablates nothing.

    Raises:
      InputError: a unit does not exist.
    """
    masks = np.ones((len(members), units), np.float32)
    for mask, group in zip(masks, members, strict=True):
        mask[_indices(units, group)] = 0
    return masks


def all_but(units: int, members: Sequence[Sequence[int]]) -> Masks:
    """Groups of units, each the only ones that stay.

    Args:
      units: how many units the layer has.
      members: the units that stay, group by group.

    Raises:
      InputError: a unit does not exist.
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
      InputError: the group is larger than the layer, or the seed is outside 0 to 2^32 - 1.
    """
    if not 0 <= size <= units:
        raise InputError(f"random groups of {size} units in a layer of {units}: give 0 to {units}")
    check_numbers(seed=(seed, SEEDS))
    random = np.random.default_rng(seed)
    return groups(units, [random.choice(units, size, replace=False).tolist() for _ in range(count)])


def _indices(units: int, group: Sequence[int]) -> list[int]:
    for unit in group:
        if not 0 <= unit < units:
            raise InputError(f"unit {unit} in a layer of {units}: give 0 to {units - 1}")
    return list(group)
