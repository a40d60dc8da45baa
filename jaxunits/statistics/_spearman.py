"""Spearman's rank correlation, with its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy

from .._arguments import real_array
from .._errors import InputError

_FEWEST = 3
# From here on the interval is the correlation alone.
_WHOLE = 1 - 1e-12


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's rank correlation.

    Attributes:
      r: the correlation.
      p: two-sided, of Student's t.
      low: lower end of the 95 % interval, of Fisher's z with the standard error of ranks,
        √((1 + r²/2) / (n − 3)) (Bonett and Wright 2000); -1 where there are three pairs.
      high: upper end.
      count: the pairs.

    All numbers are NaN where one of the two is the same everywhere, or there are fewer than three.
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


def spearman(x: Any, y: Any) -> RankCorrelation:
    """Spearman's rank correlation of two numbers of the same things.

    Args:
      x: `[pairs]`; pairs in which a number is NaN are left out.
      y: `[pairs]`.

    Returns:
      r with its p and its 95 % interval.

    Raises:
      InputError: these are no numbers, or of other shapes.
    """
    pairs = [real_array(each, name).astype(np.float64) for each, name in ((x, "x"), (y, "y"))]
    if pairs[0].ndim != 1 or pairs[0].shape != pairs[1].shape:
        raise InputError(
            f"x of shape {pairs[0].shape} and y of shape {pairs[1].shape}: give two lists of "
            "equal length"
        )
    known = np.stack(pairs)[:, ~np.isnan(pairs).any(0)]
    count = known.shape[1]
    if count < _FEWEST or (known == known[:, :1]).all(1).any():
        return RankCorrelation(math.nan, math.nan, math.nan, math.nan, count)
    # Equal values share the mean of their ranks; scipy.stats takes half a second to import.
    ranks = pd.DataFrame(known.T).rank()
    r = float(np.clip(np.asarray(np.corrcoef(ranks.to_numpy().T))[0, 1], -1, 1))
    # Of Student's t = r √((n − 2) / (1 − r²)), which is infinite where r is 1.
    p = float(scipy.special.betainc(count / 2 - 1, 0.5, (1 - r) * (1 + r)))
    low, high = _interval(r, count)
    return RankCorrelation(r, p, low, high, count)


def _interval(r: float, count: int) -> tuple[float, float]:
    if abs(r) > _WHOLE:
        return r, r
    if count == _FEWEST:
        return -1.0, 1.0
    half = float(scipy.special.ndtri(0.975)) * math.sqrt((1 + r**2 / 2) / (count - 3))
    z = math.atanh(r)
    return math.tanh(z - half), math.tanh(z + half)
