"""Units that detect concepts, counted (Zhou et al. 2018, fig. 9)."""

from __future__ import annotations

import numpy as np
import xarray as xr

from .._errors import InputError
from .._kinds import checks_kinds


@checks_kinds
def detectors_by_concept(result: xr.Dataset) -> xr.DataArray:
    """How many detectors each concept has, the most first; concepts without any are left out.

    Drawn by Zhou et al. 2018, figure 9.

    A detector counts for its best concept alone. The length of the result is the number of
    *unique detectors* (Bau et al. 2017): of concepts that have at least one.

    Args:
      result: of `dissect`.

    Returns:
      Integers with the dimension `concept` and its `category`; ties are in the order of `result`.

    Raises:
      InputError: this is no result of `dissect`.
    """
    if not {"best_concept", "concept", "detector"} <= set(result.variables):
        raise InputError(
            f"a result with {', '.join(map(str, result.variables)) or 'no variables'}: give one of "
            "ju.attributes.dissect, with 'best_concept', 'concept' and 'detector'"
        )
    best = result["best_concept"].values[result["detector"].values]
    counts = (result["concept"].values[:, None] == best).sum(1)
    order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    return xr.DataArray(
        counts[order],
        dims="concept",
        coords={
            "concept": result["concept"].values[order],
            "category": ("concept", result["category"].values[order]),
        },
        name="detectors",
    )


@checks_kinds
def detectors_by_category(result: xr.Dataset) -> xr.Dataset:
    """The number of detectors, and of concepts with any, in each category.

    Args:
      result: of `dissect`.

    Returns:
      `detectors` and `unique_detectors`, with the dimension `category`, in the order of `result`.

    Raises:
      InputError: this is no result of `dissect`.
    """
    by_concept = detectors_by_concept(result)
    categories = list(dict.fromkeys(result["category"].values.tolist()))
    inside = np.asarray(categories)[:, None] == by_concept["category"].values
    return xr.Dataset(
        {
            "detectors": ("category", (inside * by_concept.values).sum(1)),
            "unique_detectors": ("category", inside.sum(1)),
        },
        coords={"category": categories},
    )
