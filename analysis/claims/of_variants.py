"""What networks that were trained in several ways say together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import xarray as xr

import jaxunits as ju

from ..runs import Run
from ..settings import Settings
from .of_topology import role_shares
from .rules import Estimate, of_difference

_PLAIN = "plain"
# How configurations end that differ from the plain one of their network in one thing.
_VARIANTS = {"batch_norm": ("batch_norm",), "dropout": ("channel_dropout", "dropout")}
_RANDOM = ("random_labels", "half_random_labels")
Found = Iterator[tuple[str, str, str, Estimate]]


def found_of_variants(runs: Mapping[str, Sequence[Run]], config: Settings) -> Found:
    """By claim, network and layer, what the networks of a study give.

    Args:
      runs: the networks by configuration, those of one differing in their seeds alone.
      config: the options of roles.
    """
    for name, plain in runs.items():
        if name != _PLAIN and not name.endswith(f"_{_PLAIN}"):
            continue
        stem = name.removesuffix(_PLAIN)
        for claim, endings in _VARIANTS.items():
            for other in (f"{stem}{ending}" for ending in endings if f"{stem}{ending}" in runs):
                both = plain, runs[other]
                yield from _compared(claim, f"{name}, {other}", both, "ablation", _largest)
        for other in (f"{stem}{ending}" for ending in _RANDOM if f"{stem}{ending}" in runs):
            both = plain, runs[other]
            yield from _compared("random_labels", f"{name}, {other}", both, "cumulative", _kept)
    yield from _generalization([run for of in runs.values() for run in of], config)


def _compared(
    claim: str,
    names: str,
    both: tuple[Sequence[Run], Sequence[Run]],
    kind: str,
    number: Callable[[xr.Dataset], float],
) -> Found:
    """Layer by layer, a number of the one less that of the other."""
    each = [[run.results.get(kind, {}) for run in runs] for runs in both]
    for layer in dict.fromkeys(layer for side in each for results in side for layer in results):
        sides = [
            np.asarray([number(of[layer]) for of in side if layer in of], float) for side in each
        ]
        if all(map(len, sides)):
            yield claim, names, layer, of_difference(*sides)


def _largest(sweep: xr.Dataset) -> float:
    return 100 * float(sweep.max_class_accuracy_drop.mean())


def _kept(curves: xr.Dataset) -> float:
    """What random orders leave of a class's accuracy, of what it is with all units."""
    kept = curves.random_accuracy.mean(["draw", "step"])
    before = curves.random_accuracy.isel(step=0, draw=0)
    return float((kept / before.where(before > 0)).mean())


def _generalization(runs: Sequence[Run], config: Settings) -> Found:
    """Accuracy on held-out images against the share of overfitted units, over networks."""
    layers = dict.fromkeys(layer for run in runs for layer in run.results.get("insertion", {}))
    for layer in layers:
        found = []
        for run in runs:
            measured = run.results.get("insertion", {}).get(layer)
            if measured is not None and run.sweeps:
                sweep = next(iter(run.sweeps.values()))
                accuracy = int(sweep.correct_before.sum()) / int(sweep.n_images.sum())
                share = float(role_shares(measured, "overfitted", config).mean())
                found.append((accuracy, share))
        if len(found) > 1:
            r = ju.statistics.spearman(*np.transpose(found))
            of = f"{len(found)} networks"
            yield "roles_generalization", of, layer, Estimate(r.r, r.low, r.high)
