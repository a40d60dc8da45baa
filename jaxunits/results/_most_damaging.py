"""The units of a sweep that do the most damage."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Int

from .._arguments import check_whole
from .._errors import InputError
from .._kinds import checks_kinds


@checks_kinds
def most_damaging(result: xr.Dataset, num_units: int = 10) -> Int[np.ndarray, " most"]:
    """The units (or masks) with the largest max class accuracy drop, most damaging first.

    Ties go to the larger overall accuracy drop, then to the lower index.

    Args:
      result: of `sweep`.
      num_units: the maximum number of units, at least 1.

    Returns:
      `[most]`, numbers of units (or masks).

    Raises:
      InputError: `num_units` is not a positive integer, or this is not a result of `sweep`.
    """
    check_whole(num_units=num_units)
    if num_units < 1:
        raise InputError(f"num_units={num_units}: give at least 1")
    if not isinstance(result, xr.Dataset) or "max_class_accuracy_drop" not in result:
        raise InputError("result has no max_class_accuracy_drop: give what sweep returns")
    order = np.lexsort(
        (-result.overall_accuracy_drop.values, -result.max_class_accuracy_drop.values)
    )
    return order[:num_units]
