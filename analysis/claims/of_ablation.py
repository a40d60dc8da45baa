"""What ablation and attributes say of the claims of Zhou et al. 2018."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import xarray as xr
from jaxtyping import Float64

import jaxunits as ju

from ..agreement import agreement
from ..runs import Run
from .rules import FEWEST, Estimate, of_mean, of_samples

Found = Iterator[tuple[str, str, Estimate]]
_LEVEL = 0.95
_MAX, _OVERALL = "max_class_accuracy_drop", "overall_accuracy_drop"
_WITH_DROPS = {
    "selectivity_overall": ("class_selectivity", _OVERALL),
    "selectivity_class": ("class_selectivity", _MAX),
    "correlation_class": ("class_correlation", _MAX),
    "l1_overall": ("l1_norm", _OVERALL),
    "l1_class": ("l1_norm", _MAX),
}


def found_of_ablation(run: Run) -> Found:
    """By claim and layer, what the measurements of a network give.

    Args:
      run: a network.
    """
    for layer, sweep in run.sweeps.items():
        yield "overall_mean", layer, of_mean(100 * sweep[_OVERALL].values)
        yield "overall_largest", layer, largest(_overall(sweep))
        yield "class_largest", layer, largest(sweep)
        yield "class_beyond_chance", layer, _beyond_chance(sweep)
        measured = run.results.get("attributes", {}).get(layer)
        if measured is not None:
            for claim, (name, drop) in _WITH_DROPS.items():
                if name in measured:
                    yield claim, layer, ranks(measured[name].values, sweep[drop].values)
        concepts = run.results.get("concepts", {}).get(layer)
        if concepts is not None:
            found = ranks(concepts.alignment.values, sweep[_MAX].values)
            yield "concepts_class", layer, found
    yield from _greedy(run)
    yield from _rotations(run)


def ranks(x: Float64[np.ndarray, " units"], y: Float64[np.ndarray, " units"]) -> Estimate:
    """Spearman's r, with the interval of resampled units.

    Where all units but a few have the same number, what is resampled is whether it has these few:
    that says nothing of other units, and there is no interval.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    found = agreement(x[:, None], y[:, None])
    known = np.isfinite(x) & np.isfinite(y)
    if min(_apart(x[known]), _apart(y[known])) < FEWEST:
        return Estimate(found.r, math.nan, math.nan)
    return Estimate(found.r, found.low, found.high)


def _apart(values: Float64[np.ndarray, " units"]) -> int:
    """How many units have another number than most have."""
    _, counts = np.unique(values, return_counts=True)
    return len(values) - int(counts.max(initial=0))


def largest(sweep: xr.Dataset) -> Estimate:
    """The largest drop of a sweep's pairs of unit and class in points.

    The largest of all lower ends and of all upper ends of simultaneous intervals hold the largest
    true drop, however the pair was found.
    """
    broken, images = sweep.broken.values, sweep.n_images.values
    known = images > 0
    broken, images = broken[:, known], images[known]
    correct, before = sweep.correct.values[:, known], sweep.correct_before.values[known]
    repaired = correct - before + broken
    level = 1 - (1 - _LEVEL) / broken.size
    low, high = ju.statistics.paired_interval(broken, repaired, images[None], level=level)
    drop = ((broken - repaired) / images).max()
    return Estimate(*(100 * float(each) for each in (drop, low.max(), high.max())))


def _overall(sweep: xr.Dataset) -> xr.Dataset:
    """All classes as one."""
    names = ["broken", "n_images", "correct", "correct_before"]
    return sweep[names].sum("class").expand_dims({"class": ["all"]}, -1)


def _beyond_chance(sweep: xr.Dataset) -> Estimate:
    """The mean max class drop in points, less what chance would give."""
    chance = float(ju.statistics.uncertainty(sweep, num_draws=200).chance_drop.mean())
    return of_mean(100 * (sweep[_MAX].values - chance))


def _greedy(run: Run) -> Found:
    for layer, measured in run.results.get("greedy", {}).items():
        curves = measured.class_accuracy.transpose("order", "step", "class")
        drops = 100 * (curves.isel(step=0) - curves)
        targets = [str(name) for name in measured.target.values]
        chosen = [(k, name) for k, name in enumerate(targets) if name]
        greedy = np.stack([drops.isel(order=k).sel({"class": name}).values for k, name in chosen])
        random = drops.isel(order=[k for k, name in enumerate(targets) if not name])
        steps = measured.sizes["step"] - 1
        if random.sizes["order"] and steps >= 5:
            by_class = (
                random.sel({"class": [name for _, name in chosen]})
                .mean("order")
                .transpose("class", "step")
                .values
            )
            yield "greedy", layer, of_mean(greedy[:, 5] - by_class[:, 5])
        if steps >= 10:
            yield "greedy_ten", layer, of_mean(greedy[:, 10])


def _rotations(run: Run) -> Found:
    for layer, rotated in run.results.get("rotations", {}).items():
        if layer not in run.sweeps:
            continue
        for claim, drop in (("rotations_class", _MAX), ("rotations_overall", _OVERALL)):
            units, directions = (100 * each[drop].values for each in (run.sweeps[layer], rotated))
            yield (
                claim,
                layer,
                of_samples(lambda a, b: a.mean(-1) - b.mean(-1), units, directions.ravel()),
            )
