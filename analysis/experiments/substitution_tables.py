"""The tables of representative substitution."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import xarray as xr

import jaxunits as ju

from ..findings import p_value
from ..runs import Runs
from ..section import Table
from .ranks import OBJECTIVES, RELATIONS, change, rank_of, stability

_Found = Mapping[str, Mapping[str, xr.Dataset]]


def tables(runs: Runs, found: _Found) -> list[Table]:
    """Signs of the correlations, the correlations, and how RS varies.

    Args:
      runs: the networks.
      found: each network's layers by its name, of `units_of`.
    """
    return [_signs(runs, found), _correlations(runs, found), _changes(runs, found)]


def _signs(runs: Runs, found: _Found) -> Table:
    """In how many layers RS goes with what."""
    rows = []
    for name, members in runs.configurations.items():
        layers = [units for run in members for units in found[run.name].values()]
        for objective in OBJECTIVES:
            cells = {
                label: _sign([rank_of(units, objective, relation) for units in layers])
                for relation, label in RELATIONS.items()
            }
            head = {"network": name, "images": objective.upper(), "layers": len(layers)}
            rows.append({**head, **cells})
    return Table.of(
        "Layers in which RS goes with what: r > 0 and r < 0 with p < 0.05, and neither, "
        "layers without r left out" + ("; every network's layers counted" if runs.several else ""),
        rows,
    )


def _sign(ranks: Sequence[ju.statistics.RankCorrelation]) -> str:
    known = [each for each in ranks if math.isfinite(each.r)]
    above = sum(each.sure and each.r > 0 for each in known)
    below = sum(each.sure and each.r < 0 for each in known)
    return f"{above} above, {below} below, {len(known) - above - below} neither"


def _correlations(runs: Runs, found: _Found) -> Table:
    rows = []
    for head, units in _layers(runs, found):
        for objective in OBJECTIVES:
            rs = units["rs"].sel(maximized=objective)
            cells = {
                label: _rank(rank_of(units, objective, relation))
                for relation, label in RELATIONS.items()
            }
            rows.append(
                {
                    **head,
                    "images": objective.upper(),
                    "units with an image": f"{int(rs.notnull().sum())} of {rs.size}",
                    "mean RS": _number(float(rs.mean())),
                    **cells,
                }
            )
    return Table.of("Spearman's r of RS with what, its 95 % interval and p", rows)


def _rank(found: ju.statistics.RankCorrelation) -> str:
    if not math.isfinite(found.r):
        return "none"
    return f"{found.r:+.2f} ({found.low:+.2f} to {found.high:+.2f}), {p_value(found.p)}"


def _changes(runs: Runs, found: _Found) -> Table:
    rows = []
    for head, units in _layers(runs, found):
        moved = change(units)
        (am_r, am_spread), (iam_r, iam_spread) = (stability(units, name) for name in OBJECTIVES)
        rows.append(
            {
                **head,
                "RS falls": _share(moved < 0),
                "RS rises": _share(moved > 0),
                "mean change": f"{moved.mean():+.3f}" if moved.size else "–",
                "sd over seeds, AM": _number(am_spread, 3),
                "sd over seeds, IAM": _number(iam_spread, 3),
                "r between seeds, AM": _number(am_r),
                "r between seeds, IAM": _number(iam_r),
            }
        )
    return Table.of(
        "From AM to IAM, and from one noise seed to another: standard deviation of a "
        "unit's RS over seeds (mean over units), and Spearman's r between seeds (mean over pairs)",
        rows,
    )


def _layers(runs: Runs, found: _Found) -> Iterator[tuple[dict[str, str], xr.Dataset]]:
    """Each layer of each network, with how its row begins."""
    for run in runs.every:
        head = {"configuration": run.configuration, "seed": run.seed} if runs.several else {}
        for layer, units in found[run.name].items():
            yield {**head, "layer": layer}, units


def _share(mask: np.ndarray) -> str:
    return f"{mask.mean():.0%} of units" if mask.size else "–"


def _number(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "–"
