"""What networks that were trained in several ways say together."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

import jaxunits as ju

from ..runs import Run
from ..settings import Settings
from .of_topology import role_shares
from .rules import Estimate, of_difference, of_few_ranks

# Settings that variants of a network differ in, with the claim that each is looked at for.
_VARIANTS = {
    "network.batch_norm": "batch_norm",
    "network.channel_dropout": "dropout",
    "data.random_labels": "random_labels",
}
# What differs with them, or says nothing.
_ASIDE = ("sha256", "data_fingerprint", "seed", "run_folder")
Found = Iterator[tuple[str, str, str, Estimate]]


def found_of_variants(runs: Mapping[str, Sequence[Run]], config: Settings) -> Found:
    """By claim, network and layer, what the networks of a study give.

    Args:
      runs: the networks by configuration, those of one differing in their seeds alone.
      config: the options of roles.
    """
    for (name, plain), (other, changed) in itertools.permutations(runs.items(), 2):
        claim = _VARIANTS.get(_only_addition(plain[0], changed[0]), "")
        if claim == "random_labels":
            yield from _compared(claim, f"{name}, {other}", (plain, changed), "cumulative", _kept)
        elif claim:
            yield from _compared(claim, f"{name}, {other}", (plain, changed), "ablation", _largest)
    yield from _generalization([run for of in runs.values() for run in of], config)


def _only_addition(plain: Run, other: Run) -> str:
    """The one setting that another network has and the plain one has not; empty if there are more.

    Networks that the training program did not train say nothing of how they were.
    """
    each = []
    for run in (plain, other):
        folder = ju.results.RunFolder(run.folder)
        settings = folder.read_configuration() if folder.configuration.exists() else {}
        each.append(dict(_flat(settings)))
    differing = [
        key for key in each[0].keys() | each[1].keys() if each[0].get(key) != each[1].get(key)
    ]
    if len(differing) != 1 or each[0].get(differing[0]):
        return ""
    return differing[0]


def _flat(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Settings by their whole names, such as `network.batch_norm`."""
    for section, values in settings.items():
        if section in _ASIDE:
            continue
        if isinstance(values, dict):
            yield from ((f"{section}.{key}", value) for key, value in values.items())
        else:
            yield section, values


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
            accuracies, shares = zip(*found, strict=True)
            of = f"{len(found)} networks"
            yield "roles_generalization", of, layer, of_few_ranks(accuracies, shares)
