"""What networks that were trained in several ways say together."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

import jaxunits as ju

from ..measurements.removal import area_under
from ..runs import Run
from ..settings import Settings
from .of_topology import role_shares
from .rules import Estimate, of_difference, of_few_ranks
from .statements import MEMORIZED

# What differs with other settings, or says nothing.
_ASIDE = ("sha256", "data_fingerprint", "seed", "run_folder")
_NETWORK, _ALL = "whole network", "all layers"
Found = Iterator[tuple[str, str, str, Estimate]]


@dataclass(frozen=True)
class _Comparison:
    """What of two kinds of training is compared for a claim.

    Attributes:
      claim: the claim.
      kind: the measurement.
      number: of a layer of a network.
      of_all: what stands for the layer where the number is of the network; of each layer else.
      premise: what the claim supposes of a network that is not plain.
    """

    claim: str
    kind: str
    number: Callable[[xr.Dataset], float]
    of_all: str = ""
    premise: Callable[[xr.Dataset], bool] = lambda _: True

    def by_layer(self, run: Run) -> dict[str, float]:
        """The numbers of a network."""
        numbers = {
            layer: self.number(found) for layer, found in run.results.get(self.kind, {}).items()
        }
        if not (self.of_all and numbers):
            return numbers
        # Of the whole network it was measured once, or every layer has the same.
        return {self.of_all: next(iter(numbers.values()))}


def found_of_variants(runs: Mapping[str, Sequence[Run]], config: Settings) -> Found:
    """By claim, network and layer, what the networks of a study give.

    Args:
      runs: the networks by configuration, those of one differing in their seeds alone.
      config: the options of roles.
    """
    for (name, plain), (other, changed) in itertools.permutations(runs.items(), 2):
        for comparison in _COMPARISONS.get(_change(plain[0], changed[0]), ()):
            for layer, estimate in _compared(comparison, plain, changed):
                yield comparison.claim, f"{name}, {other}", layer, estimate
    yield from _generalization([run for of in runs.values() for run in of], config)


def _change(plain: Run, other: Run) -> str:
    """The one setting that another network has and the plain one has not; empty if there are more.

    Of a regularizer also which sign it has. Networks that the training program did not train say
    nothing of how they were.
    """
    each = []
    for run in (plain, other):
        folder = ju.results.RunFolder(run.folder)
        settings = folder.read_configuration() if folder.configuration.exists() else {}
        each.append(dict(_flat(settings)))
    before, after = each
    differing = [key for key in before.keys() | after.keys() if before.get(key) != after.get(key)]
    if len(differing) != 1 or before.get(differing[0]):
        return ""
    (name,) = differing
    if name.startswith("regularizers."):
        return f"{name} {'above' if after[name] > 0 else 'below'} 0"
    return name


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
    comparison: _Comparison, plain: Sequence[Run], changed: Sequence[Run]
) -> Iterator[tuple[str, Estimate]]:
    """Layer by layer, a number of the plain networks less that of the others.

    Where these are not what the claim supposes, nothing tells how sure the number is.
    """
    measured = [found for run in changed for found in run.results.get(comparison.kind, {}).values()]
    told = all(map(comparison.premise, measured))
    sides = [list(map(comparison.by_layer, runs)) for runs in (plain, changed)]
    for layer in dict.fromkeys(layer for side in sides for found in side for layer in found):
        one, other = (
            np.asarray([found[layer] for found in side if layer in found], float) for side in sides
        )
        if len(one) and len(other):
            found = of_difference(one, other)
            yield layer, found if told else Estimate(found.number, math.nan, math.nan)


def _damage(sweep: xr.Dataset) -> float:
    """The mean max class drop in points."""
    return 100 * float(sweep.max_class_accuracy_drop.mean())


def _accuracy(sweep: xr.Dataset) -> float:
    """The accuracy with all units, in percent."""
    return 100 * int(sweep.correct_before.sum()) / int(sweep.n_images.sum())


def _selectivity(attributes: xr.Dataset) -> float:
    return float(attributes.class_selectivity.mean())


def _kept(curves: xr.Dataset) -> float:
    """The mean training accuracy over all numbers of removed units.

    On a scale from 0 with none of the units, whose accuracy is that of chance, to 1 with all.
    """
    training = curves.sel(side="training")
    whole, none = (float(training.accuracy.isel(step=step).mean()) for step in (0, -1))
    mean = float(area_under(training).mean())
    return (mean - none) / (whole - none) if whole > none else math.nan


def _memorized(curves: xr.Dataset) -> bool:
    """Whether the labels that a network was trained on are learned, random ones too."""
    return float(curves.accuracy.sel(side="training").isel(step=0).mean()) >= MEMORIZED


_COMPARISONS = {
    "network.batch_norm": (_Comparison("batch_norm", "ablation", _damage),),
    "network.channel_dropout": (_Comparison("dropout", "ablation", _damage),),
    "data.random_labels": (
        _Comparison("random_labels", "removal", _kept, premise=_memorized),
        _Comparison("random_labels", "removal_of_all", _kept, _ALL, _memorized),
    ),
    "regularizers.class_selectivity above 0": (
        _Comparison("selective_units", "attributes", _selectivity),
        _Comparison("selective_accuracy", "ablation", _accuracy, _NETWORK),
        _Comparison("selective_class", "ablation", _damage),
    ),
    "regularizers.class_selectivity below 0": (
        _Comparison("unselective_units", "attributes", _selectivity),
        _Comparison("unselective_accuracy", "ablation", _accuracy, _NETWORK),
        _Comparison("unselective_class", "ablation", _damage),
    ),
}


def _generalization(runs: Sequence[Run], config: Settings) -> Found:
    """Accuracy on held-out images against the share of overfitted units, over networks.

    Of those that have the same units and classify the same images.
    """
    found: dict[tuple[str, int, str], list[tuple[float, float]]] = {}
    for run in runs:
        for layer, measured in run.results.get("insertion", {}).items():
            sweep = run.sweeps.get(layer)
            if sweep is not None:
                share = float(role_shares(measured, "overfitted", config).mean())
                alike = layer, measured.sizes["step"], str(sweep.attrs["data"])
                found.setdefault(alike, []).append((_accuracy(sweep), share))
    for (layer, _, _), each in found.items():
        if len(each) > 1:
            accuracies, shares = zip(*each, strict=True)
            of = f"{len(each)} networks"
            yield "roles_generalization", of, layer, of_few_ranks(accuracies, shares)
