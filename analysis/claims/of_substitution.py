"""What images of units say of the claims of Chen et al. 2019."""

from __future__ import annotations

import math

from ..experiments.ranks import units_of
from ..runs import Run
from .of_ablation import Found, ranks
from .rules import of_few_ranks

_OBJECTIVE = "iam"


def found_of_substitution(run: Run) -> Found:
    """By claim and layer, what the measurements of a network give.

    Args:
      run: a network.
    """
    measured = run.results.get("synthesis", {})
    others = run.results.get("attributes", {}).keys() & run.sweeps.keys()
    by_depth = []
    for layer in (each for each in measured if each in others):
        units = units_of(run, layer)
        rs = units["rs"].sel(maximized=_OBJECTIVE).values
        found = ranks(rs, units["class_selectivity"].values)
        if math.isfinite(found.number):
            by_depth.append(found.number)
        yield "substitution_selectivity", layer, found
        yield "substitution_drops", layer, ranks(rs, units["max_class_accuracy_drop"].values)
    if len(by_depth) > 1:
        depth = of_few_ranks(range(len(by_depth)), by_depth)
        yield "substitution_depth", f"{len(by_depth)} layers", depth
