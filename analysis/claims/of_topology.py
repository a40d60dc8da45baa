"""What the feature topology says of the claims of Zhao and Zhang 2021."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr
from jaxtyping import Float64

import jaxunits as ju

from ..experiments.roles import stretches
from ..experiments.stability import found_of
from ..runs import Run
from ..settings import Settings
from .of_ablation import Found
from .rules import Estimate, of_mean

_LAST = "least important first"
_IMPORTANCE = "importance"


def found_of_topology(run: Run, config: Settings) -> Found:
    """By claim and layer, what the measurements of a network give.

    Args:
      run: a network.
      config: the options of topology, stability and roles.
    """
    for layer, measured in run.results.get("training", {}).items():
        entropy = [ju.topology.feature_entropy(births.values) for births in measured.birth_point]
        yield "entropy", layer, of_mean(entropy[-1] - entropy[0])
    for layer, curves in run.results.get("cumulative", {}).items():
        yield from _transition(layer, curves)
    for layer, births in run.results.get("births", {}).items():
        sizes = found_of(births, config)
        each = sizes[max(sizes)].values()
        yield "stability", layer, of_mean(np.asarray([of.ratio for of in each]))
    for layer, measured in run.results.get("insertion", {}).items():
        yield "roles", layer, of_mean(role_shares(measured, "core", config))


def role_shares(insertion: xr.Dataset, role: str, config: Settings) -> np.ndarray:
    """The share of a layer's units in a role, by class.

    Args:
      insertion: what was measured of a layer.
      role: the role.
      config: the options of roles.
    """
    names = [str(name) for name in insertion["class"].values]
    shares = [ju.statistics.role_shares(stretches(insertion, name, config)) for name in names]
    return np.asarray([float(each.sel(role=role)) for each in shares])


def _transition(layer: str, curves: xr.Dataset) -> Found:
    """Widths and mean accuracies of the curves with the least important unit first."""
    last = curves.accuracy.sel(direction=_LAST).transpose("ranking", "class", "step")
    own = last.sel(ranking=_IMPORTANCE).values
    yield "transition", layer, of_mean(np.asarray(list(_widths(own))))
    random = curves.random_accuracy.mean(["draw", "step"]).values
    kept = own.mean(1)
    yield "transition_random", layer, of_mean(100 * (kept - random))
    yield "transition_special", layer, _beyond_the_best(last, kept)


def _widths(curves: Float64[np.ndarray, "classes steps"]) -> Iterator[float]:
    """Over which share of the units each falls; 1 where it does not."""
    for curve in curves:
        width = ju.statistics.phase_transition(curve).width
        yield 1.0 if width is None else width / (len(curve) - 1)


def _beyond_the_best(last: xr.DataArray, kept: np.ndarray) -> Estimate:
    others = last.drop_sel(ranking=_IMPORTANCE).mean("step")
    best = others.mean("class").values.argmax()
    return of_mean(100 * (kept - others.isel(ranking=best).values))
