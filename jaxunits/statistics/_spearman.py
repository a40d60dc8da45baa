"""Spearman's rank correlation, with its interval."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy
from jaxtyping import Float64

from .._arguments import real_array
from .._errors import InputError

_FEWEST = 3
_COUNTS = {2: "two", 3: "three"}
# So many pairs at most are put in every order: Student's t is certain of four that are in order,
# which chance puts in order, or in the reverse, once in twelve.
_COUNTED = 7
# From here on the interval is the correlation alone.
_WHOLE = 1 - 1e-12


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's rank correlation.

    Attributes:
      r: the correlation.
      p: two-sided; the share of all orders of y with as large an r for up to seven pairs, of
        Student's t for more, and for partial correlations.
      low: lower end of the 95 % interval, of Fisher's z with the standard error of ranks,
        √((1 + r²/2) / (n − 3)) (Bonett and Wright 2000); -1 where there are three pairs.
      high: upper end.
      count: the pairs.

    All numbers are NaN where one of them is the same everywhere, or there are fewer than three
    pairs; of a partial correlation fewer than four, or where what is given says all of the ranks of
    one.
    """

    r: float
    p: float
    low: float
    high: float
    count: int

    @property
    def sure(self) -> bool:
        """Whether p < 0.05."""
        return self.p < 0.05


def spearman(x: Any, y: Any, given: Any = None) -> RankCorrelation:
    """Spearman's rank correlation of two numbers of the same things, partial if a third is given.

    The partial correlation is that of what the ranks of `given` leave of the other ranks, by a
    straight line; its p and interval have one pair less.

    Args:
      x: `[pairs]`; pairs in which a number is NaN are left out.
      y: `[pairs]`.
      given: `[pairs]`, what both may go with; None for nothing.

    Returns:
      r with its p and its 95 % interval.

    Raises:
      InputError: these are no numbers, or of other shapes.
    """
    names = ("x", "y") if given is None else ("x", "y", "given")
    numbers = [
        real_array(each, name).astype(np.float64)
        for each, name in zip((x, y, given), names, strict=False)
    ]
    shapes = [each.shape for each in numbers]
    if len(shapes[0]) != 1 or len(set(shapes)) > 1:
        listed = " and ".join(
            f"{name} of shape {shape}" for name, shape in zip(names, shapes, strict=True)
        )
        raise InputError(f"{listed}: give {_COUNTS[len(names)]} lists of equal length")
    known = np.stack(numbers)[:, ~np.isnan(np.stack(numbers)).any(0)]
    count = known.shape[1]
    # What a partial correlation leaves of n pairs is worth n - 1.
    worth = count - (len(names) - 2)
    if worth < _FEWEST or (known == known[:, :1]).all(1).any():
        return RankCorrelation(math.nan, math.nan, math.nan, math.nan, count)
    # Equal values share the mean of their ranks; scipy.stats takes half a second to import.
    ranks = pd.DataFrame(known.T).rank().to_numpy().T
    r = _correlation(np.asarray(np.corrcoef(ranks)))
    if math.isnan(r):
        return RankCorrelation(r, r, r, r, count)
    low, high = _interval(r, worth)
    return RankCorrelation(r, _p(ranks, r, worth), low, high, count)


def _correlation(of: Float64[np.ndarray, "numbers numbers"]) -> float:
    """Of the first two, given the third where there is one; NaN where that says all of one."""
    r = of[0, 1]
    if len(of) > 2:
        left = (1 - of[0, 2] ** 2) * (1 - of[1, 2] ** 2)
        if left < 1 - _WHOLE:
            return math.nan
        r = (r - of[0, 2] * of[1, 2]) / math.sqrt(left)
    return float(np.clip(r, -1, 1))


def _p(ranks: Float64[np.ndarray, "numbers pairs"], r: float, worth: int) -> float:
    if len(ranks) == 2 and ranks.shape[1] <= _COUNTED:
        x, y = ranks - ranks.mean(1, keepdims=True)
        sums = np.abs(np.array(list(itertools.permutations(y))) @ x)
        return float((sums >= abs(x @ y) - 1e-9).mean())
    # Of Student's t = r √((n − 2) / (1 − r²)), which is infinite where r is 1.
    return float(scipy.special.betainc(worth / 2 - 1, 0.5, (1 - r) * (1 + r)))


def _interval(r: float, count: int) -> tuple[float, float]:
    if abs(r) > _WHOLE:
        return r, r
    if count == _FEWEST:
        return -1.0, 1.0
    half = float(scipy.special.ndtri(0.975)) * math.sqrt((1 + r**2 / 2) / (count - 3))
    z = math.atanh(r)
    return math.tanh(z - half), math.tanh(z + half)
