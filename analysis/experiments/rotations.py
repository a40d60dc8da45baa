"""Units against directions of random rotations (paper A, figure 7)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from ..experiment import Experiment
from ..figures import DAMAGE, GAIN, POINTS, band, legend, panel, rendered
from ..measurements.ablation import ablation
from ..measurements.rotations import rotations
from ..runs import Panel, Runs
from ..section import Section, Table

_NAMES = {"max_class_accuracy_drop": "max class drop", "overall_accuracy_drop": "overall drop"}
_TEXT = """The activations of a layer are rotated at random, one coordinate is set to zero, and
they are rotated back: a direction is ablated instead of a unit. Where single units mean more than
directions, the curve of the units lies above that of the directions. The table says by how much,
in percentage points, and what a two-sided Mann–Whitney test says of the difference between the
units and the directions of all rotations together. Directions of one network are not independent
of each other, so its p is a guide."""


def _section(runs: Runs) -> Section:
    """Curves of units and directions, and a table of differences."""
    panels = runs.panels("rotations")
    return Section(
        title="Units against random directions",
        text=[_TEXT],
        figures=[rendered("rotations", _draw(panels), _caption(runs, panels))],
        tables=[_table(panels)],
    )


def _draw(panels: Sequence[Panel]) -> Canvas:
    canvas = Canvas(figsize=(7.6, 2.7 * len(panels) + 0.5), layout="constrained")
    grid = canvas.subplots(len(panels), 2, squeeze=False)
    for row, shown in zip(grid, panels, strict=True):
        for axes, (drop, label) in zip(row, _NAMES.items(), strict=True):
            _draw_panel(axes, shown, drop)
            panel(axes, f"{shown.title}: {label}", "units or directions, sorted by drop")
        row[0].set_ylabel(POINTS)
    legend(canvas, grid.flat[0])
    return canvas


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


def _caption(runs: Runs, panels: Sequence[Panel]) -> str:
    first = panels[0].results[0]
    ranges = "rotations and seeds" if runs.several else "rotations"
    return (
        f"Accuracy drops of units and of directions of {first.sizes['rotation']} random rotations, "
        f"sorted; bands are the range over {ranges}. After paper A, figure 7."
    )


def _table(panels: Sequence[Panel]) -> Table:
    rows = []
    for shown in panels:
        for run, found in shown.each:
            row = shown.head_of(run)
            for drop, label in _NAMES.items():
                units = run.sweeps[shown.layer][drop].values
                directions = _directions(found, drop).ravel()
                row[f"{label}, units"] = f"{100 * units.mean():.2f}"
                row[f"{label}, directions"] = f"{100 * directions.mean():.2f}"
                row[f"{label}, p"] = f"{scipy.stats.mannwhitneyu(units, directions).pvalue:.2g}"
            rows.append(row)
    return Table.of("Mean drops in percentage points", rows)


experiment = Experiment("rotations", _section, needs=(ablation, rotations), paper="A", figures="7")
