"""Representative substitution of a layer's units beside what it may go with."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr
from jaxtyping import Float

import jaxunits as ju

from ..measurements.synthesis import OBJECTIVES as OBJECTIVES
from ..runs import Run

RELATIONS = {
    "class_selectivity": "class selectivity",
    "overall_accuracy_drop": "overall accuracy drop",
    "max_class_accuracy_drop": "max class accuracy drop",
}


def units_of(run: Run, layer: str) -> xr.Dataset:
    """By unit: class selectivity, accuracy drops and, by objective, `rs`.

    `rs` is the mean over the noise seeds in which the unit has an image, `rs_of_seed` those.
    """
    made = run.kind("synthesis")[layer]
    attributes = run.kind("attributes")[layer].sel(unit=made["unit"])
    sweep = run.sweeps[layer].sel(unit=made["unit"])
    return xr.Dataset(
        {
            # Rounded, so that equal shares stay ties whatever order they were added up in.
            "rs": made["rs"].mean("noise_seed").round(9),
            "rs_of_seed": made["rs"],
            "class_selectivity": attributes["class_selectivity"],
            "overall_accuracy_drop": sweep["overall_accuracy_drop"],
            "max_class_accuracy_drop": sweep["max_class_accuracy_drop"],
        }
    )


def rank_of(units: xr.Dataset, objective: str, relation: str) -> ju.statistics.RankCorrelation:
    """Spearman's r of RS under an objective with class selectivity or a drop."""
    return ju.statistics.spearman(
        units["rs"].sel(maximized=objective).values, units[relation].values
    )


def change(units: xr.Dataset) -> Float[np.ndarray, " units"]:
    """RS under IAM less RS under AM, of the units with images under both."""
    values = (units["rs"].sel(maximized="iam") - units["rs"].sel(maximized="am")).values
    return values[np.isfinite(values)]


def stability(units: xr.Dataset, objective: str) -> tuple[float, float]:
    """How RS varies with the noise.

    Returns:
      The mean of Spearman's r over all pairs of noise seeds, and the mean of units' standard
      deviations over seeds; NaN for one seed.
    """
    values = units["rs_of_seed"].sel(maximized=objective).transpose("noise_seed", "unit").values
    values = values[:, np.isfinite(values).all(0)]
    seeds = len(values)
    if seeds < 2 or not values.size:
        return math.nan, math.nan
    pairs = [ju.statistics.spearman(values[i], values[j]).r for i in range(seeds) for j in range(i)]
    known = [r for r in pairs if math.isfinite(r)]
    return (sum(known) / len(known) if known else math.nan), float(values.std(0, ddof=1).mean())
