"""The max class accuracy drop that chance alone gives."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float64

from .._arguments import check_whole
from .._bounds import SEEDS, check_numbers, check_table
from .._errors import InputError
from ._intervals import checked_counts

# Draws of one unit's classes that are held at once.
_HELD = 2**20


def chance_drops(
    broken: Any, repaired: Any, n_images: Any, *, num_draws: int = 1000, seed: int = 0
) -> Float64[np.ndarray, "draws units"]:
    """Max class accuracy drops if every image that changes had gone either way by chance.

    Without an effect the direction of each change is a coin flip: every drop is drawn again with
    the observed changes, and the largest over the classes is kept.

    Args:
      broken: `[units, classes]`, images that are right before and wrong after.
      repaired: `[units, classes]`, images that are wrong before and right after.
      n_images: `[classes]`, all images.
      num_draws: the number of draws.
      seed: the seed of the draws.

    Returns:
      For each draw the units' max class accuracy drops, sorted, the largest first, as in a curve.

    Raises:
      InputError: the counts are impossible, no class has images, there are no draws, they and the
        units make more than 2^26 numbers, or the seed is outside 0 to 2^32 - 1.
    """
    b, c, n = checked_counts(broken, repaired, n_images)
    if n.ndim != 2 or not len(n):
        raise InputError(f"counts of shape {n.shape}: give [units, classes], of at least one unit")
    check_whole(num_draws=num_draws)
    if num_draws < 1:
        raise InputError(f"num_draws={num_draws}: give at least 1")
    check_table(num_draws, len(b), f"num_draws={num_draws}")
    held = n[0] > 0
    if not held.any():
        raise InputError("no class has images: give the counts of a sweep over some")
    changed = (b + c)[:, held].astype(np.int64)
    check_numbers(seed=(seed, SEEDS))
    random = np.random.default_rng(seed)
    largest = np.empty((num_draws, len(b)))
    at_once = max(1, _HELD // changed.shape[1])
    for unit, each in enumerate(changed):
        for start in range(0, num_draws, at_once):
            some = largest[start : start + at_once, unit]
            drops = (2 * random.binomial(each, 0.5, (len(some), len(each))) - each) / n[0, held]
            some[:] = drops.max(1)
    largest.sort(axis=1)
    return largest[:, ::-1]
