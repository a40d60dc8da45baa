"""From an estimate with its interval to a verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy
from jaxtyping import Float64

import jaxunits as ju

HOLDS, FAILS, UNKNOWN = "holds", "does not hold", "cannot be told"
VERDICTS = (HOLDS, FAILS, UNKNOWN)
_DRAWS = 2000
_ENDS = (0.025, 0.975)
# Of four pairs even r = 1 comes by chance in a twelfth of all cases.
FEWEST = 5


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval.

    Attributes:
      number: NaN where there is none.
      low: lower end; NaN where nothing tells how sure the number is.
      high: upper end.
    """

    number: float
    low: float
    high: float


@dataclass(frozen=True)
class Rule:
    """When a claim holds: the whole interval lies on one side of a threshold.

    Attributes:
      side: on which.
      threshold: of the claim's unit.
    """

    side: Literal["above", "below"]
    threshold: float

    def verdict(self, estimate: Estimate) -> str:
        """Holds, does not hold (the whole interval is on the other side), or cannot be told."""
        if not (math.isfinite(estimate.low) and math.isfinite(estimate.high)):
            return UNKNOWN
        above, below = estimate.low > self.threshold, estimate.high < self.threshold
        if not (above or below):
            return UNKNOWN
        return HOLDS if above == (self.side == "above") else FAILS

    def text(self, unit: str) -> str:
        """In words, such as `the whole interval is above 0 points`."""
        of = unit.removesuffix("s") if self.threshold == 1 else unit
        return f"the whole interval is {self.side} {self.threshold:g} {of}".rstrip()


def of_mean(values: Float64[np.ndarray, " samples"]) -> Estimate:
    """The mean of some samples (units, classes), with the interval of resampling them."""
    return of_samples(lambda each: each.mean(-1), values)


def of_samples(statistic: Callable[..., Any], *samples: Float64[np.ndarray, " _"]) -> Estimate:
    """A statistic of one or more independent samples, with the interval of resampling each.

    Args:
      statistic: takes as many arrays whose last axis is of samples, and gives a number for each.
      samples: each with 2 values or more that are numbers; others are left out.
    """
    known = [each[np.isfinite(each)] for each in samples]
    if min(map(len, known)) == 0:
        return Estimate(math.nan, math.nan, math.nan)
    number = float(statistic(*known))
    if min(map(len, known)) == 1:
        return Estimate(number, math.nan, math.nan)
    random = np.random.default_rng(0)
    drawn = [each[random.integers(0, len(each), (_DRAWS, len(each)))] for each in known]
    low, high = np.quantile(statistic(*drawn), _ENDS)
    return Estimate(number, float(low), float(high))


def of_few_ranks(x: Sequence[Any], y: Sequence[Any]) -> Estimate:
    """Spearman's r of few things (layers, networks), with its interval from five pairs on."""
    found = ju.statistics.spearman(x, y)
    if found.count < FEWEST:
        return Estimate(found.r, math.nan, math.nan)
    return Estimate(found.r, found.low, found.high)


def of_difference(
    one: Float64[np.ndarray, " networks"], other: Float64[np.ndarray, " others"]
) -> Estimate:
    """The mean of one less that of the other, with Welch's interval; of few networks each."""
    difference = float(np.mean(one) - np.mean(other))
    if min(len(one), len(other)) < 2:
        return Estimate(difference, math.nan, math.nan)
    each = [np.var(values, ddof=1) / len(values) for values in (one, other)]
    error = math.sqrt(sum(each))
    if error == 0:
        return Estimate(difference, difference, difference)
    freedom = sum(each) ** 2 / sum(
        part**2 / (len(values) - 1) for part, values in zip(each, (one, other), strict=True)
    )
    half = float(scipy.special.stdtrit(freedom, _ENDS[1])) * error
    return Estimate(difference, difference - half, difference + half)
