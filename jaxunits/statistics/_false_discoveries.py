"""Which of many tests are discoveries."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import ArrayLike

from .._arguments import real_array
from .._errors import InputError


def false_discovery_rates(p_values: ArrayLike) -> Float64[np.ndarray, "*tests"]:
    """The false discovery rate from which on each test is a discovery.

    Benjamini and Hochberg 1995: at a rate q the k smallest p are discoveries, for the largest k of
    which p is at most q·k over all tests. (`scipy.stats.false_discovery_control` gives the same,
    and takes half a second to import.)

    Args:
      p_values: `[*tests]`, 0 to 1; NaN is no test.

    Returns:
      `[*tests]`, the smallest such q; NaN where there is no test.

    Raises:
      InputError: a p is not from 0 to 1, or these are not numbers.
    """
    p = real_array(p_values, "p_values").astype(np.float64)
    wrong = p[(p < 0) | (p > 1)]
    if wrong.size:
        raise InputError(f"p_values hold {wrong[0]}: give numbers from 0 to 1, NaN for no test")
    rates, held = np.full(p.shape, np.nan), ~np.isnan(p)
    falling = np.argsort(p[held])[::-1]
    scaled = p[held][falling] * len(falling) / np.arange(len(falling), 0, -1)
    adjusted = np.empty(len(falling))
    adjusted[falling] = np.minimum.accumulate(np.minimum(scaled, 1))
    rates[held] = adjusted
    return rates
