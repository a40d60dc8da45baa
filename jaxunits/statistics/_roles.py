"""Roles of units, by the stretches of their insertion curves (Zhao and Zhang 2021, §3.6)."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy
import xarray as xr
from jaxtyping import Bool, Float64

from .._bounds import SEEDS, Range, check_numbers, check_table
from .._errors import InputError
from .._kinds import checks_kinds
from .._optional import check_installed
from ._shares import checked_shares

ROLES = ("core", "core, continued", "overfitted", "generalizing", "confusing")
_SIDES = ("training", "test")
_COUNT = Range(1, 2**26, whole=True)
# Pelt looks for stretches of at least three points where lines join.
_FEWEST = 3


@checks_kinds
def unit_roles(
    accuracy: Any,
    *,
    penalty: float = 0.02,
    min_units: int = 5,
    level: float = 0.95,
    num_resamples: int = 2000,
    seed: int = 0,
) -> xr.Dataset:
    """Stretches of a class's insertion curves, and their units' role (Zhao and Zhang 2021, §3.6).

    Stretches lie between the points where the curves change their slopes (Pelt of Killick et al.
    2012, which stretches cost their squared distance from straight lines that join at their ends:
    `clinear` of ruptures). A curve rises in a stretch where the whole interval of its slope is
    above 0. Core units are those of the first stretch in which both curves rise; the paper has no
    name for later ones in which both do, which are `core, continued` here. In the others units are
    `overfitted` (training alone rises), `generalizing` (test alone) or `confusing` (neither). Needs
    the extra `jaxunits[roles]`.

    Args:
      accuracy: of the class on its training and on its test images, as shares, by inserted units
        from none on, the most important first, `[steps, 2]`.
      penalty: of a further stretch, against the summed squares that it saves: the larger, the
        fewer stretches.
      min_units: units that a stretch has at least.
      level: of the intervals, from a percentile bootstrap over the steps of a stretch.
      num_resamples: bootstrap samples per stretch.
      seed: of the bootstrap.

    Returns:
      A Dataset by `stretch`: `first_step` and `last_step`, inserted units at its ends, which
      stretches share, and `role`; by `side` (`training`, `test`) too `slope` (share of images per
      unit, least squares), `slope_low`, `slope_high` and `rises`.

    Raises:
      InputError: ruptures is missing, the curves have another shape or fewer than two steps, a
        number is no share from 0 to 1, or an option is outside its range.
    """
    check_installed("ruptures", "roles", "unit_roles")
    check_numbers(
        penalty=(penalty, Range(0)),
        min_units=(min_units, _COUNT),
        level=(level, Range(0, 1, open="both")),
        num_resamples=(num_resamples, _COUNT),
        seed=(seed, SEEDS),
    )
    curves = checked_shares(accuracy, "accuracy", "[steps, 2]")
    if len(curves) < 2 or curves.shape[1] != len(_SIDES):
        raise InputError(
            f"accuracy of shape {curves.shape}: give [steps, 2], training and test, from no "
            "inserted unit to at least one"
        )
    check_table(num_resamples, len(curves), f"num_resamples={num_resamples}")
    found = _stretches(curves, float(penalty), int(min_units))
    parts = [curves[first : last + 1] for first, last in found]
    intervals = np.array(
        [[_interval(side, level, num_resamples, seed) for side in part.T] for part in parts]
    )
    rises = intervals[..., 0] > 0
    by_side = ("stretch", "side")
    return xr.Dataset(
        {
            "first_step": ("stretch", [first for first, _ in found]),
            "last_step": ("stretch", [last for _, last in found]),
            "role": ("stretch", _roles(rises)),
            "slope": (
                by_side,
                [_slope(np.arange(len(part))[:, None], part, axis=0) for part in parts],
            ),
            "slope_low": (by_side, intervals[..., 0]),
            "slope_high": (by_side, intervals[..., 1]),
            "rises": (by_side, rises),
        },
        coords={"side": list(_SIDES)},
        attrs={
            "penalty": penalty,
            "min_units": min_units,
            "level": level,
            "num_resamples": num_resamples,
            "seed": seed,
        },
    )


@checks_kinds
def role_shares(stretches: xr.Dataset) -> xr.DataArray:
    """The share of a layer's units in each role (Zhao and Zhang 2021, table 1).

    Args:
      stretches: of `unit_roles`.

    Returns:
      Shares by `role`, all five of them, which sum to 1.

    Raises:
      InputError: the Dataset is not of `unit_roles`.
    """
    for name in ("first_step", "last_step", "role"):
        if name not in stretches or stretches[name].dims != ("stretch",):
            raise InputError(f"stretches have no {name} by stretch: give a result of unit_roles")
    units = (stretches["last_step"] - stretches["first_step"]).values
    roles = stretches["role"].values
    shares = [float(units[roles == role].sum() / units.sum()) for role in ROLES]
    return xr.DataArray(shares, {"role": list(ROLES)}, name="share")


def _roles(rises: Bool[np.ndarray, "stretches sides"]) -> list[str]:
    """The role of the units of every stretch, from whether the curves rise in it."""
    names = {(1, 0): "overfitted", (0, 1): "generalizing", (0, 0): "confusing"}
    roles: list[str] = []
    for training, test in rises.astype(int).tolist():
        both = "core, continued" if "core" in roles else "core"
        roles.append(names.get((training, test), both))
    return roles


def _stretches(
    curves: Float64[np.ndarray, "steps sides"], penalty: float, min_units: int
) -> list[tuple[int, int]]:
    """The first and the last step of every stretch; each begins where the one before ends."""
    # Imported here because only this needs it.
    import ruptures

    if len(curves) <= 2 * min_units:
        return [(0, len(curves) - 1)]
    search = ruptures.Pelt(model="clinear", min_size=max(min_units, _FEWEST), jump=1).fit(curves)
    ends = [end - 1 for end in search.predict(pen=penalty)]
    return list(zip([0, *ends[:-1]], ends, strict=True))


def _interval(
    curve: Float64[np.ndarray, " steps"], level: float, num_resamples: int, seed: int
) -> tuple[float, float]:
    """The interval of a curve's slope."""
    found = scipy.stats.bootstrap(
        (np.arange(len(curve)), curve),
        _slope,
        paired=True,
        vectorized=True,
        n_resamples=num_resamples,
        confidence_level=level,
        method="percentile",
        rng=seed,
    ).confidence_interval
    return float(found.low), float(found.high)


def _slope(
    steps: Float64[np.ndarray, ...], values: Float64[np.ndarray, ...], axis: int = -1
) -> Float64[np.ndarray, ...]:
    """Least-squares slopes; 0 where all steps of a sample are the same one."""
    across = steps - steps.mean(axis, keepdims=True)
    spread = (across**2).sum(axis)
    along = (across * (values - values.mean(axis, keepdims=True))).sum(axis)
    return np.divide(along, spread, out=np.zeros(along.shape), where=spread > 0)
