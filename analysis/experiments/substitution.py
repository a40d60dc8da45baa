"""How many other units respond more to the image made for a unit.

Chen et al. 2019, figures 1, 3 to 6.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

import jaxunits as ju

from ..drawn_values import unlisted
from ..experiment import Experiment
from ..figures import DAMAGE, GAIN, legend, panels_of, rendered, tidy
from ..findings import foremost, p_value
from ..measurements.ablation import ablation
from ..measurements.attributes import attributes
from ..measurements.synthesis import synthesis
from ..runs import Run, Runs
from ..section import Figure, Section
from .ranks import OBJECTIVES, RELATIONS, rank_of, units_of
from .substitution_tables import tables

_COLUMNS = 5
_LOOKS = {"am": ("AM", DAMAGE, "o"), "iam": ("IAM", GAIN, "^")}
_MEASURED = """For every unit an image is made by gradient ascent from noise: activation
maximization (AM) climbs the unit's activation, independent activation maximization (IAM) that less
the mean activation of the layer's other units. Representative substitution (RS) is the share of the
layer's units that respond more to the image than the unit it was made for: 0 where none does. RS
is the mean over noise seeds; units that do not respond to their own image have none."""
_READING = """Chen et al. 2019 find that selective units have high RS in early layers, and conclude
that others stand in for them, so that their ablation would do little damage: r of RS with class
selectivity above 0, r of RS with accuracy drops below 0. r is Spearman's, over the units of a
layer, with p (two-sided, one test) and a 95 % interval (Fisher's z with the
standard error √((1 + r²/2)/(n − 3)) of Bonett and Wright 2000). There is no r where all units have
the same RS."""

ByLayer = Mapping[str, xr.Dataset]


def _section(runs: Runs) -> Section:
    """Scatter panels, correlations by layer, and tables."""
    found = {
        run.name: {layer: units_of(run, layer) for layer in run.kind("synthesis")}
        for run in runs.every
    }
    firsts = [members[0] for members in runs.configurations.values()]
    return Section(
        title="Representative substitution",
        text=[_MEASURED, _READING],
        figures=[
            _by_layer(runs, found),
            *(_scatter(runs, run, found[run.name]) for run in firsts),
        ],
        tables=tables(runs, found),
        findings=foremost(
            (
                _found(of.title, [found[run.name][of.layer] for run in of.runs])
                for of in runs.panels("synthesis")
            ),
            "largest mean RS",
        ),
    )


def _found(title: str, each: Sequence[xr.Dataset]) -> tuple[float, str]:
    """The mean RS under IAM, and the sentence: that, and its r with class selectivity."""
    rs = float(np.mean([units["rs"].sel(maximized="iam").mean() for units in each]))
    ranks = [rank_of(units, "iam", "class_selectivity") for units in each]
    return rs, f"{title}: RS under IAM is {rs:.2f} on average; {_correlated(ranks)}."


def _correlated(ranks: Sequence[ju.statistics.RankCorrelation]) -> str:
    """How RS goes with class selectivity, in words; of several networks in how many."""
    known = [each for each in ranks if math.isfinite(each.r)]
    if not known:
        return "all units have the same, or are too few for an r with class selectivity"
    text = "its r with class selectivity is"
    if len(ranks) == 1:
        one = known[0]
        return (
            f"{text} {one.r:+.2f} [{one.low:+.2f}, {one.high:+.2f}] over {one.count} units "
            f"({p_value(one.p)})"
        )
    low, high = min(each.r for each in known), max(each.r for each in known)
    sure = sum(each.sure for each in known)
    return f"{text} {low:+.2f} to {high:+.2f} in {len(known)} networks (p < 0.05 in {sure})"


def _scatter(runs: Runs, run: Run, layers: ByLayer) -> Figure:
    """RS against class selectivity, layer by layer."""
    columns = min(_COLUMNS, len(layers))
    canvas, grid = panels_of(
        len(layers),
        columns,
        (max(2.3, 6.4 / columns), 2.4),
        around=(0.4, 0.6),
        label="RS (share of units)",
        sharex=True,
        sharey=True,
    )
    for axes, (layer, units) in zip(grid, layers.items(), strict=True):
        _draw_units(axes, units)
        axes.set_title(f"{layer} ({units.sizes['unit']} units)", fontsize=9)
    # Of shared axes only those with nothing below keep their numbers.
    for axes in grid[-columns:]:
        axes.set_xlabel("class selectivity")
        axes.tick_params(labelbottom=True)
    legend(canvas, grid[0])
    suffix = f"_{run.configuration}" if runs.several else ""
    of = f" of {run.name}" if runs.several else ""
    return rendered(
        f"substitution_selectivity{suffix}",
        canvas,
        f"RS against class selectivity{of}; a dot is a unit under AM, a triangle one under IAM. "
        "After Chen et al. 2019, figures 1 and 4 to 6.",
    )


def _draw_units(axes: Axes, units: xr.Dataset) -> None:
    for objective in OBJECTIVES:
        label, color, marker = _LOOKS[objective]
        axes.plot(
            units["class_selectivity"].values,
            units["rs"].sel(maximized=objective).values,
            marker,
            color=color,
            label=label,
            markersize=3,
            alpha=0.6,
            markeredgewidth=0,
        )
    axes.set(xlim=(-0.04, 1.04), ylim=(-0.04, 1.04))
    tidy(axes)


def _by_layer(runs: Runs, found: Mapping[str, ByLayer]) -> Figure:
    """Mean RS and its correlations, layer by layer, a column a configuration."""
    members = {
        name: [found[run.name] for run in each] for name, each in runs.configurations.items()
    }
    widths = [max(len(each[0]), 4) for each in members.values()]
    rows = 1 + len(RELATIONS)
    canvas = Canvas(
        figsize=(max(0.5 * sum(widths) + 1.2, 5), 2.1 * rows + 0.9), layout="constrained"
    )
    grid = canvas.subplots(
        rows, len(members), sharex="col", sharey="row", squeeze=False, width_ratios=widths
    )
    for column, (name, each) in zip(grid.T, members.items(), strict=True):
        _draw_column(column, each, list(each[0]))
        column[0].set_title(name if runs.several else "")
    labels = ("mean RS", *(f"r of RS with\n{text}" for text in RELATIONS.values()))
    for axes, label in zip(grid[:, 0], labels, strict=True):
        axes.set_ylabel(label)
    legend(canvas, grid.flat[0])
    seeds = " Networks of one configuration stand beside each other." if runs.several else ""
    return rendered(
        "substitution_layers",
        canvas,
        "Mean RS of each layer, and Spearman's r of RS over its units with class selectivity and "
        f"with accuracy drops; bars are 95 % intervals.{seeds} After Chen et al. 2019, figures 3 "
        "and 6.",
    )


def _draw_column(column: np.ndarray, members: Sequence[ByLayer], layers: Sequence[str]) -> None:
    spread = np.linspace(-0.3, 0.3, len(OBJECTIVES) * len(members))
    networks = itertools.product(OBJECTIVES, enumerate(members))
    for shift, (objective, (member, of_layers)) in zip(spread, networks, strict=True):
        label, color, marker = _LOOKS[objective]
        name = f"{label}, network {member}" if member else label
        look: Any = {"color": color, "markersize": 4, "linewidth": 0.8}
        shown = {k + shift: of_layers[key] for k, key in enumerate(layers) if key in of_layers}
        rs = [units["rs"].sel(maximized=objective).mean() for units in shown.values()]
        column[0].plot(list(shown), rs, marker, label=unlisted(name) if member else name, **look)
        for axes, relation in zip(column[1:], RELATIONS, strict=True):
            found = [rank_of(units, objective, relation) for units in shown.values()]
            bars = [[each.r - each.low for each in found], [each.high - each.r for each in found]]
            r = [each.r for each in found]
            axes.errorbar(list(shown), r, yerr=bars, fmt=marker, label=unlisted(name), **look)
    for axes in column:
        axes.axhline(0, color="0.6", linewidth=0.6, zorder=0)
        tidy(axes)
    column[0].set_ylim(bottom=-0.02)
    for axes in column[1:]:
        axes.set_ylim(-1.05, 1.05)
    column[-1].set_xticks(range(len(layers)), layers, rotation=90)
    column[-1].set_xlim(-0.6, len(layers) - 0.4)
    column[-1].set_xlabel("layer")


experiment = Experiment(
    "substitution",
    _section,
    needs=(ablation, attributes, synthesis),
    paper="C",
    figures="1, 3 to 6",
)
