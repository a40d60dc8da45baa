"""The uncertainty of a whole sweep, labeled."""

from __future__ import annotations

import numpy as np
import xarray as xr

from .._errors import InputError
from .._kinds import checks_kinds
from ._chance import chance_drops
from ._false_discoveries import false_discovery_rates
from ._intervals import paired_interval
from ._mcnemar import damage_p_values


@checks_kinds
def uncertainty(
    sweep: xr.Dataset,
    *,
    level: float = 0.95,
    false_discovery_rate: float = 0.05,
    num_draws: int = 1000,
    seed: int = 0,
) -> xr.Dataset:
    """The uncertainty of the drops of a sweep over units.

    Args:
      sweep: the result of `jaxunits.ablation.sweep` over single units.
      level: the level of the intervals and of the band of chance.
      false_discovery_rate: the expected share of false ones among the (unit, class) pairs called
        damaged (Benjamini and Hochberg 1995, over all pairs with images).
      num_draws: the number of draws of the max class accuracy drops that chance gives.
      seed: the seed of these draws.

    Returns:
      A Dataset: `drop_low`, `drop_high`, `p_value`, `adjusted_p_value` and `damaged` by unit and
      class; `chance_drop`, `chance_low` and `chance_high` by rank, to be drawn under the curve
      of sorted max class accuracy drops.

    Raises:
      InputError: this is not a sweep over units, or a number is out of range.
    """
    if not {"broken", "correct", "correct_before", "n_images"} <= set(sweep.data_vars) or (
        sweep["broken"].dims != ("unit", "class")
    ):
        raise InputError(
            "uncertainty needs the result of a sweep over single units, with the counts "
            "'correct', 'correct_before', 'broken' and 'n_images' by unit and class"
        )
    if not 0 < false_discovery_rate < 1:
        raise InputError(
            f"false_discovery_rate={false_discovery_rate}: give a number between 0 and 1"
        )
    broken, n_images = sweep["broken"].values, sweep.n_images.values
    repaired = sweep["correct"].values - sweep["correct_before"].values + broken
    low, high = paired_interval(broken, repaired, n_images[None], level=level)
    p_values = np.where(n_images > 0, damage_p_values(broken, repaired), np.nan)
    adjusted = false_discovery_rates(p_values)
    chance = chance_drops(broken, repaired, n_images[None], num_draws=num_draws, seed=seed)
    ends = np.quantile(chance, [(1 - level) / 2, (1 + level) / 2], axis=0)
    pairs = ("unit", "class")
    return xr.Dataset(
        {
            "drop_low": (pairs, low),
            "drop_high": (pairs, high),
            "p_value": (pairs, p_values),
            "adjusted_p_value": (pairs, adjusted),
            "damaged": (pairs, adjusted <= false_discovery_rate),
            "chance_drop": ("rank", chance.mean(0)),
            "chance_low": ("rank", ends[0]),
            "chance_high": ("rank", ends[1]),
        },
        coords={"unit": sweep["unit"], "class": sweep["class"]},
        attrs={
            "level": level,
            "false_discovery_rate": false_discovery_rate,
            "interval": "score (Tango 1998)",
            "test": "exact one-sided McNemar",
        },
    )
