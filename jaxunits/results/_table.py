"""Results as tables."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import xarray as xr

from .._errors import InputError, unknown_name
from .._kinds import checks_kinds


@checks_kinds
def table(result: xr.Dataset, by: str | Sequence[str] = "unit") -> pd.DataFrame:
    """A result as a table by unit, or by the labels of other dimensions.

    Args:
      result: of any measurement.
      by: a dimension of the result, or several.

    Returns:
      One row per label (or combination of labels), one column per variable or coordinate that has
      no other dimensions.

    Raises:
      InputError: this is not a result, it has no such dimension, or none is given.
    """
    wanted = [by] if isinstance(by, str) else list(by)
    if not wanted:
        raise InputError(f"by={by!r}: give at least one dimension")
    for name in wanted:
        if name not in result.dims:
            raise unknown_name("dimension", name, map(str, result.dims), "the result")
    others = [name for name in result.dims if name not in wanted]
    return result.drop_dims(others).to_dataframe(dim_order=wanted)
