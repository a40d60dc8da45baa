"""Stretches of insertion curves, and the role of the units in each (paper B §3.6)."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float
from scipy import stats

SIDES = ("training", "test")


def roles_of(rises: Bool[np.ndarray, "stretches sides"]) -> list[str]:
    """What the units of every stretch are.

    Core is the first stretch in which both curves rise; paper B has no name for later ones in which
    both do, which are `core, continued` here.

    Args:
      rises: whether accuracy on training images and on test images rises.
    """
    names = {(1, 0): "overfitted", (0, 1): "generalizing", (0, 0): "confusing"}
    roles: list[str] = []
    for training, test in rises.astype(int).tolist():
        both = "core, continued" if "core" in roles else "core"
        roles.append(names.get((training, test), both))
    return roles


def change_points(
    curves: Float[np.ndarray, "steps sides"], *, penalty: float, shortest: int
) -> list[tuple[int, int]]:
    """The stretches between the points at which the curves change their slopes.

    The cost of a stretch is the squared distance of the curves from the straight lines between its
    two ends, which stretches share (Pelt of Killick et al. 2012, cost `clinear` of ruptures).

    Args:
      curves: by inserted units, from 0 on.
      penalty: of a further stretch.
      shortest: how many units a stretch has at least.

    Returns:
      The first and the last step of every stretch; each begins where the one before ends.
    """
    # Imported here because only this needs it.
    import ruptures

    if len(curves) <= 2 * shortest:
        return [(0, len(curves) - 1)]
    search = ruptures.Pelt(model="clinear", min_size=max(shortest, 3), jump=1).fit(curves)
    ends = [end - 1 for end in search.predict(pen=penalty)]
    return list(zip([0, *ends[:-1]], ends, strict=True))


def slopes(
    curves: Float[np.ndarray, "steps sides"],
) -> Float[np.ndarray, " sides"]:
    """Least-squares slopes of curves by step."""
    return _slope(np.arange(len(curves))[:, None], curves, axis=0)


def stretches(
    curves: Float[np.ndarray, "steps sides"],
    *,
    penalty: float,
    shortest: int = 5,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> xr.Dataset:
    """Stretches of the insertion curves with their slopes and roles.

    A curve rises in a stretch where the whole interval of its slope is above 0.

    Args:
      curves: accuracy on training and on test images, as shares, by inserted units from 0 on.
      penalty: of a further stretch, see `change_points`.
      shortest: see `change_points`.
      confidence: of the intervals, from a percentile bootstrap over the steps of a stretch.
      resamples: bootstrap samples.
      seed: of the bootstrap.

    Returns:
      By `stretch`: `first_step`, `last_step`, `role`; by `stretch` and `side` too: `slope` (share
      of images per unit), `slope_low`, `slope_high`, `rises`.
    """
    found = change_points(curves, penalty=penalty, shortest=shortest)
    parts = [curves[first : last + 1] for first, last in found]
    intervals = np.array(
        [
            [_interval(part[:, side], confidence, resamples, seed) for side in (0, 1)]
            for part in parts
        ]
    )
    rises = intervals[..., 0] > 0
    by_side = ("stretch", "side")
    return xr.Dataset(
        {
            "first_step": ("stretch", [first for first, _ in found]),
            "last_step": ("stretch", [last for _, last in found]),
            "role": ("stretch", roles_of(rises)),
            "slope": (by_side, np.stack([slopes(part) for part in parts])),
            "slope_low": (by_side, intervals[..., 0]),
            "slope_high": (by_side, intervals[..., 1]),
            "rises": (by_side, rises),
        },
        coords={"side": list(SIDES)},
        attrs={"penalty": penalty, "confidence": confidence, "resamples": resamples, "seed": seed},
    )


def _interval(
    curve: Float[np.ndarray, " steps"], confidence: float, resamples: int, seed: int
) -> tuple[float, float]:
    """The interval of a curve's slope."""
    found = stats.bootstrap(
        (np.arange(len(curve)), curve),
        _slope,
        paired=True,
        vectorized=True,
        n_resamples=resamples,
        confidence_level=confidence,
        method="percentile",
        rng=seed,
    ).confidence_interval
    return float(found.low), float(found.high)


def _slope(steps: np.ndarray, values: np.ndarray, axis: int = -1) -> np.ndarray:
    """Least-squares slopes; 0 where all steps of a sample are the same one."""
    across = steps - steps.mean(axis, keepdims=True)
    spread = (across**2).sum(axis)
    along = (across * (values - values.mean(axis, keepdims=True))).sum(axis)
    return np.divide(along, spread, out=np.zeros(along.shape), where=spread > 0)
