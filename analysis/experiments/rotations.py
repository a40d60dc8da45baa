"""Units against directions of random rotations (Zhou et al. 2018, figure 7)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from ..experiment import Experiment
from ..figures import DAMAGE, GAIN, POINTS, band, legend, panel, rendered
from ..findings import foremost, p_value
from ..measurements.ablation import ablation
from ..measurements.rotations import rotations
from ..runs import Panel, Run, Runs
from ..section import Figure, Section, Table

_LARGEST = "max_class_accuracy_drop"
_NAMES = {_LARGEST: "max class drop", "overall_accuracy_drop": "overall drop"}
_TEXT = """The activations of a layer are rotated at random, one coordinate is set to zero, and they
are rotated back: a direction is ablated instead of a unit. Where single units mean more than
directions, the curve of the units lies above that of the directions. The table says by how much, in
percentage points, and what a two-sided Mann–Whitney test says of the difference between the units
and the directions of all rotations together. Directions of one network are not independent of each
other, so its p is a guide."""


def _section(runs: Runs) -> Section:
    """Curves of units and directions, and a table of differences."""
    panels = runs.panels("rotations")
    return Section(
        title="Units against random directions",
        text=[_TEXT],
        figures=[_figure(runs, panels)],
        tables=[_table(panels)],
        findings=foremost(map(_found, panels), "largest drops"),
    )


def _found(shown: Panel) -> tuple[float, str]:
    """The units' mean max class drop in points, and the sentence: what directions do beside it."""
    label = _NAMES[_LARGEST]
    each = [_compared(shown, run, found, _LARGEST) for run, found in shown.each]
    units, directions = (float(np.mean([one[k] for one in each])) for k in (0, 1))
    several = f"Mann–Whitney p < 0.05 in {sum(one[2] < 0.05 for one in each)} of {len(each)} seeds"
    sure = f"Mann–Whitney {p_value(each[0][2])}" if len(each) == 1 else several
    return units, (
        f"{shown.title}: the {label} is {units:.2f} points on average over units and "
        f"{directions:.2f} over random directions ({sure})."
    )


def _compared(shown: Panel, run: Run, found: xr.Dataset, drop: str) -> tuple[float, float, float]:
    """Mean drops of units and of directions in points, and p of their difference."""
    units = run.sweeps[shown.layer][drop].values
    directions = _directions(found, drop).ravel()
    p = float(scipy.stats.mannwhitneyu(units, directions).pvalue)
    return 100 * float(units.mean()), 100 * float(directions.mean()), p


def _figure(runs: Runs, panels: Sequence[Panel]) -> Figure:
    canvas = Canvas(figsize=(7.6, 2.7 * len(panels) + 0.5), layout="constrained")
    grid = canvas.subplots(len(panels), 2, squeeze=False)
    for row, shown in zip(grid, panels, strict=True):
        for axes, (drop, label) in zip(row, _NAMES.items(), strict=True):
            _draw_panel(axes, shown, drop)
            panel(axes, f"{shown.title}: {label}", "units or directions, sorted by drop")
        row[0].set_ylabel(POINTS)
    legend(canvas, grid.flat[0])
    count = panels[0].results[0].sizes["rotation"]
    ranges = "rotations and seeds" if runs.several else "rotations"
    return rendered(
        "rotations",
        canvas,
        f"Accuracy drops of units and of directions of {count} random rotations, sorted; bands are "
        f"the range over {ranges}. After Zhou et al. 2018, figure 7.",
    )


def _draw_panel(axes: Axes, shown: Panel, drop: str) -> None:
    units = np.stack([run.sweeps[shown.layer][drop].values for run in shown.runs])
    directions = np.concatenate([_directions(each, drop) for each in shown.results])
    for values, color, label in (
        (directions, GAIN, "directions of random rotations"),
        (units, DAMAGE, "units"),
    ):
        curves = -np.sort(-100 * values, axis=1)
        rank = np.arange(1, curves.shape[1] + 1)
        drops = curves.min(0), curves.mean(0), curves.max(0)
        band(axes, rank, drops, color=color, linewidth=1.5, label=label)


def _directions(rotations: xr.Dataset, drop: str) -> np.ndarray:
    """A drop by rotation and direction."""
    return rotations[drop].transpose("rotation", "direction").values


def _table(panels: Sequence[Panel]) -> Table:
    rows = []
    for shown in panels:
        for run, found in shown.each:
            row = shown.head_of(run)
            for drop, label in _NAMES.items():
                units, directions, p = _compared(shown, run, found, drop)
                row[f"{label}, units"] = f"{units:.2f}"
                row[f"{label}, directions"] = f"{directions:.2f}"
                row[f"{label}, p"] = f"{p:.2g}"
            rows.append(row)
    return Table.of("Mean drops in percentage points", rows)


experiment = Experiment("rotations", _section, needs=(ablation, rotations), paper="A", figures="7")
