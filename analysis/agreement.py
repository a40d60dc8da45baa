"""How far numbers of units go with others: ranks, intervals from resampled units, and chance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Float64

import jaxunits as ju

_FEWEST = 4
# What is left of ranks is nothing below this share of them.
_NOTHING = 1e-9
_ENDS = (0.025, 0.975)

Columns = Float64[np.ndarray, "units columns"]


@dataclass(frozen=True)
class Agreement:
    """Spearman's r of two numbers of units, or the mean r of their columns.

    Attributes:
      r: the correlation; NaN where one of them is the same for all units, or there are few units.
      low: lower end of the 95 % interval, from resampled units.
      high: upper end.
      p: two-sided; `ju.statistics.spearman`'s for one column, and for several of how the mean
        varies when units are shuffled.
    """

    r: float
    low: float
    high: float
    p: float


NONE = Agreement(math.nan, math.nan, math.nan, math.nan)


def agreement(
    x: Columns, y: Columns, given: Columns | None = None, *, draws: int = 1000, seed: int = 0
) -> Agreement:
    """How far numbers of units go with others, column by column.

    Args:
      x: one column, or one for each class; units with a single column of NaN are left out.
      y: as many.
      given: what both may go with, as many columns; None for nothing.
      draws: how often units are resampled.
      seed: of the resamples, the same for the same number of units.

    Columns in which a number is not known, or the same for all units, are left out.
    """
    parts = [x, y] if given is None else [x, y, given]
    if x.shape[1] == 1:
        known = np.isfinite(np.concatenate(parts, axis=1)).all(1)
        parts = [each[known] for each in parts]
    units = len(parts[0])
    if units < _FEWEST:
        return NONE
    usable = np.all([np.isfinite(each).all(0) & (each != each[:1]).any(0) for each in parts], 0)
    parts = [each[:, usable] for each in parts]
    left = _left(*(_ranks(each[None]) for each in parts))
    (r,) = _means((left[0] * left[1]).sum(1))
    if not np.isfinite(r):
        return NONE
    drawn = np.random.default_rng([seed, units]).integers(0, units, (draws, units))
    again = _left(*(_ranks(part[drawn]) for part in parts))
    resampled = _means((again[0] * again[1]).sum(1))
    low, high = np.nanquantile(resampled, _ENDS)
    return Agreement(float(r), float(low), float(high), _p(left, parts, float(r)))


def _means(r: Float64[np.ndarray, "draws columns"]) -> Float64[np.ndarray, " draws"]:
    """Of the columns that have an r; NaN where none has."""
    known = np.isfinite(r)
    total = np.where(known, r, 0).sum(1)
    return np.divide(total, known.sum(1), out=np.full(len(r), np.nan), where=known.any(1))


def _ranks(values: Float64[np.ndarray, "draws units columns"]) -> np.ndarray:
    """Ranks along the units, less their mean; equal values share the mean of theirs."""
    ranks = scipy.stats.rankdata(values, axis=1)
    return ranks - ranks.mean(1, keepdims=True)


def _left(x: np.ndarray, y: np.ndarray, given: np.ndarray | None = None) -> list[np.ndarray]:
    """What the ranks that are given leave of others, of length 1; NaN where that is nothing."""
    found = []
    for ranks in (x, y):
        rest = ranks
        if given is not None:
            with np.errstate(invalid="ignore"):
                slope = (ranks * given).sum(1, keepdims=True) / (given**2).sum(1, keepdims=True)
            rest = ranks - slope * given
        squares = (rest**2).sum(1, keepdims=True)
        enough = squares > _NOTHING * (ranks**2).sum(1, keepdims=True)
        length = np.sqrt(np.where(enough, squares, np.nan))
        found.append(rest / length)
    return found


def _p(left: list[np.ndarray], parts: list[Columns], r: float) -> float:
    """Of one r `spearman`'s; of a mean by its variance when the units of one side are shuffled.

    A shuffled r has the variance 1/(n − 1), and two columns the covariance of the product of their
    correlations in x and in y over n − 1.
    """
    if parts[0].shape[1] == 1:
        return ju.statistics.spearman(*(part[:, 0] for part in parts)).p
    known = np.isfinite(left[0][0]).all(0) & np.isfinite(left[1][0]).all(0)
    x, y = left[0][0][:, known], left[1][0][:, known]
    # What is given takes one unit's worth.
    worth = len(x) - (len(parts) - 2)
    variance = ((x.T @ x) * (y.T @ y)).mean() / (worth - 1)
    return float(scipy.special.erfc(abs(r) / math.sqrt(2 * variance)))
