"""Units of each layer sorted by their max class accuracy drop (Zhou et al. 2018, figure 3)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

import jaxunits as ju

from ..experiment import Experiment
from ..figures import (
    BY_CHANCE,
    CHANCE,
    DAMAGE,
    GAIN,
    OVERALL,
    POINTS,
    band,
    legend,
    panel,
    panels_of,
    rendered,
)
from ..findings import counted, drop_with_interval, foremost
from ..measurements.ablation import ablation
from ..report import images_of
from ..runs import Runs
from ..section import Figure, Section, Table
from . import comparison

_COLUMNS = 4
_DRAWS = 200
_MEASURED = """Every unit of a layer is ablated alone: its output is fixed for every image. The
overall accuracy drop counts all images, the class accuracy drop the images of one class; a drop is
the accuracy before minus the accuracy after, so positive means damage. Units are sorted by the drop
of the class that they damage most."""
_READING = """Where the max class drop rises far above the overall drop, units serve single classes:
the network as a whole hardly notices that such a unit is gone, one class does. With few images per
class the largest of many noisy drops is above zero by chance alone:"""
_CHANCE = """The gray curve is the max class drop that the same numbers of changed predictions would
give if each had gone either way by chance, with the range of 95 % of such draws. Intervals are
score intervals of the paired counts (Tango 1998), each of its pair alone, so that the largest of
many drops can have one above 0 by chance; a (unit, class) pair counts as damaged where an exact
McNemar test says so with 5 % false discoveries expected among all pairs of the layer."""


def _section(runs: Runs) -> Section:
    """The curves of all layers and each layer's extremes; of several networks, compared."""
    if runs.several:
        return comparison.run(runs)
    sweeps = runs.every[0].sweeps
    sure = {
        layer: ju.statistics.uncertainty(sweep, num_draws=_DRAWS) for layer, sweep in sweeps.items()
    }
    counts = next(iter(sweeps.values())).n_images
    least = int(counts.where(counts > 0).min())
    resolution = f"one image of the smallest class ({least} images) is {1 / least:.1%}."
    return Section(
        title="Class accuracy drop, layer by layer",
        text=[_MEASURED, f"{_READING} {resolution} {_CHANCE}"],
        figures=[_figure(sweeps, sure)],
        tables=[
            Table.of(
                "The layers' extremes",
                (_row(layer, sweep, sure[layer]) for layer, sweep in sweeps.items()),
            )
        ],
        findings=_findings(sweeps, sure),
    )


def _findings(sweeps: Mapping[str, xr.Dataset], sure: Mapping[str, xr.Dataset]) -> list[str]:
    """Of many layers first in how many there is damage, then the sentences of those with most."""
    found = [_found(layer, sweep, sure[layer]) for layer, sweep in sweeps.items()]
    sentences = foremost(found, "most damage")
    if len(sentences) == len(found):
        return sentences
    damaged = sum(bool(each.damaged.any()) for each in sure.values())
    return [
        f"In {damaged} of {len(found)} layers some (unit, class) pair is damaged beyond chance.",
        *sentences,
    ]


def _found(layer: str, sweep: xr.Dataset, sure: xr.Dataset) -> tuple[float, str]:
    """How much damage there is, and the sentence: to how many pairs, and which loses most.

    Damage is the share of damaged pairs; where there are none it is below 0, by the largest drop.
    """
    damaged, pairs = int(sure.damaged.sum()), int(sure.p_value.notnull().sum())
    drops = sweep.class_accuracy_drop.where(sure.damaged) if damaged else sweep.class_accuracy_drop
    # Of equal drops that which the table and the panels show.
    drops = drops.isel(unit=ju.results.most_damaging(sweep, sweep.sizes["unit"]))
    at = np.unravel_index(np.nanargmax(drops.values), drops.shape)
    unit, name = int(drops["unit"][at[0]]), str(drops["class"][at[1]].values)
    drop = drop_with_interval(sweep, unit, name)
    if damaged:
        how_many = f"{damaged:,} of {counted(pairs, '(unit, class) pair')}"
        verb = "is" if damaged == 1 else "are"
        rest = f"unit {unit} costs class {name} most, {drop}"
        return damaged / pairs, f"{layer}: {how_many} {verb} damaged beyond chance; {rest}."
    return float(drops.max()) - 2, (
        f"{layer}: none of {counted(pairs, '(unit, class) pair')} is damaged beyond chance, all of "
        f"them tested together; the largest drop, of class {name} without unit {unit}, is {drop}."
    )


def _figure(sweeps: Mapping[str, xr.Dataset], sure: Mapping[str, xr.Dataset]) -> Figure:
    canvas, grid = panels_of(len(sweeps), _COLUMNS, (3.0, 2.7), label=POINTS, sharey=True)
    for axes, (layer, sweep) in zip(grid, sweeps.items(), strict=True):
        order = np.argsort(-sweep.max_class_accuracy_drop.values, kind="stable")
        rank = np.arange(1, len(order) + 1)
        chance = [
            100 * sure[layer][name].values for name in ("chance_low", "chance_drop", "chance_high")
        ]
        band(axes, rank, chance, alpha=0.3, color=CHANCE, linewidth=1.2, label=BY_CHANCE)
        for name, color, label in (
            ("max_class_accuracy_drop", DAMAGE, "max class drop"),
            ("overall_accuracy_drop", OVERALL, "overall drop"),
            ("min_class_accuracy_drop", GAIN, "min class drop"),
        ):
            values = 100 * sweep[name].values[order]
            axes.plot(rank, values, color=color, label=label, linewidth=1.5)
        panel(axes, f"{layer} ({len(order)} units)", "units, sorted by max class drop")
    legend(canvas, grid[0])
    values = next(iter(sweeps.values())).attrs["values"]
    return rendered(
        "drop_curves",
        canvas,
        f"Max, min and overall accuracy drop of every unit, ablated to {values}, on "
        f"{images_of(sweeps)}. Gray: the max class drop expected from chance. After Zhou et al. "
        "2018, figure 3.",
    )


def _row(layer: str, sweep: xr.Dataset, sure: xr.Dataset) -> dict[str, object]:
    overall = sweep.overall_accuracy_drop.values
    largest = sweep.max_class_accuracy_drop.values
    unit = int(ju.results.most_damaging(sweep, 1)[0])
    name = str(sweep.most_damaged_class.values[unit])
    pair = sure.sel({"class": name}).isel(unit=unit)
    interval = f"{float(pair.drop_low):.1%} to {float(pair.drop_high):.1%}"
    return {
        "layer": layer,
        "units": len(largest),
        "overall drop, mean": f"{overall.mean():.2%}",
        "overall drop, largest": f"{overall.max():.2%}",
        "max class drop (95 % interval)": f"{largest[unit]:.1%} ({interval})",
        "class": name,
        "unit": unit,
        "units with max class drop ≥ 5 points": f"{(largest >= 0.05).mean():.0%}",
        "damaged (unit, class) pairs": f"{int(sure.damaged.sum()):,} of "
        f"{int(sure.p_value.notnull().sum()):,}",
    }


experiment = Experiment(
    "drop_curves",
    _section,
    needs=(ablation,),
    paper="A",
    figures="3, 8",
    groups=("paper_a", "paper_c"),
)
