"""Does an attribute of units predict how much damage their ablation does?"""

from __future__ import annotations

import numpy as np
import xarray as xr

from .._errors import InputError
from .._kinds import checks_kinds
from ._spearman import spearman

_DROPS = ("overall_accuracy_drop", "max_class_accuracy_drop")
_FEWEST = 3


@checks_kinds
def rank_correlation(attributes: xr.Dataset, sweep: xr.Dataset) -> xr.Dataset:
    """Spearman's r, and p, of every attribute against overall and max class accuracy drop.

    Positive r means that units with more of the attribute do more damage when they are ablated.
    Figure 5 of Zhou et al. 2018 has the opposite sign, since it takes the change of accuracy.

    Args:
      attributes: numbers by `unit`; variables with other dimensions are left out.
      sweep: of `jaxunits.ablation.sweep` over single units of the same layer.

    Returns:
      A Dataset by `attribute` and `accuracy_drop`: `r` and `p_value` (two-sided, as `spearman`'s),
      NaN where an attribute or drop is the same for all units; `count`, the units.

    Raises:
      InputError: the sweep is of other units or has no drops, there are fewer than three units, no
        attribute has one number per unit, or a number is NaN.
    """
    missing = [name for name in _DROPS if name not in sweep or sweep[name].dims != ("unit",)]
    if missing:
        raise InputError(
            f"the sweep has no {missing[0]} by unit: give the result of a sweep over single units"
        )
    if "unit" not in attributes.coords or not np.array_equal(attributes["unit"], sweep["unit"]):
        raise InputError(
            "attributes and sweep are of different units: take both of one layer, in one order"
        )
    if sweep.sizes["unit"] < _FEWEST:
        raise InputError(f"{sweep.sizes['unit']} units have no rank correlation: give 3 or more")
    names = [str(name) for name, values in attributes.items() if values.dims == ("unit",)]
    if not names:
        raise InputError("no attribute has one number per unit: give at least one")
    values = np.empty((2, len(names), len(_DROPS)))
    for row, name in enumerate(names):
        for column, drop in enumerate(_DROPS):
            values[:, row, column] = _spearman(attributes[name], sweep[drop])
    return xr.Dataset(
        {
            "r": (("attribute", "accuracy_drop"), values[0]),
            "p_value": (("attribute", "accuracy_drop"), values[1]),
            "n_units": sweep.sizes["unit"],
        },
        coords={"attribute": names, "accuracy_drop": list(_DROPS)},
        attrs={"sign": "positive: more of the attribute, more damage"},
    )


def _spearman(attribute: xr.DataArray, drop: xr.DataArray) -> tuple[float, float]:
    """R and p; NaN for constants."""
    x, y = np.asarray(attribute, np.float64), np.asarray(drop, np.float64)
    for name, numbers in ((attribute.name, x), (drop.name, y)):
        wrong = np.flatnonzero(np.isnan(numbers))
        if len(wrong):
            raise InputError(
                f"{name} of unit {attribute['unit'].values[wrong[0]]} is NaN: leave the unit out"
            )
    found = spearman(x, y)
    return found.r, found.p
