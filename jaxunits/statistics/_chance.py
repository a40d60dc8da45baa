"""The max class accuracy drop that chance alone gives."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float64

from .._errors import InputError
from ._intervals import checked_counts


def chance_drops(
    broken: Any, repaired: Any, count: Any, *, draws: int = 1000, seed: int = 0
) -> Float64[np.ndarray, "draws units"]:
    """Max class accuracy drops if every image that changes had gone either way by chance.

    Without an effect the direction of each change is a coin's: drop after drop is drawn again with
    the changes that there were, and the largest over the classes kept.

    Args:
      broken: `[units, classes]`, images that are right before and wrong after.
      repaired: `[units, classes]`, images that are wrong before and right after.
      count: `[classes]`, all images.
      draws: how many times.
      seed: of the draws.

    Returns:
      For each draw the units' max class accuracy drops, sorted, the largest first, as in a curve.

    Raises:
      InputError: the counts cannot be, no class has images, or there are no draws.
    """
    b, c, n = checked_counts(broken, repaired, count)
    if draws < 1:
        raise InputError(f"draws={draws}: give at least 1")
    held = n[0] > 0
    if not held.any():
        raise InputError("no class has images: give the counts of a sweep over some")
    changed = (b + c)[:, held].astype(np.int64)
    random = np.random.default_rng(seed)
    largest = np.empty((draws, len(b)))
    for unit, each in enumerate(changed):
        drops = (2 * random.binomial(each, 0.5, (draws, len(each))) - each) / n[0, held]
        largest[:, unit] = drops.max(1)
    return -np.sort(-largest, axis=1)
