"""Units against directions of random rotations (paper A, figure 7)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from ..experiment import Experiment
from ..figures import DAMAGE, GAIN, POINTS, legend, panel, rendered
from ..measurements.ablation import ablation
from ..measurements.rotations import rotations
from ..runs import Run, Runs
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
        figures=[rendered("rotations", _draw(runs, panels), _caption(runs, panels))],
        tables=[_table(panels)],
    )


def _draw(runs: Runs, panels: Sequence[tuple[str, str, Sequence[Run]]]) -> Canvas:
    canvas = Canvas(figsize=(7.6, 2.7 * len(panels) + 0.5), layout="constrained")
    grid = canvas.subplots(len(panels), 2, squeeze=False)
    for row, (name, layer, members) in zip(grid, panels, strict=True):
        for axes, (drop, label) in zip(row, _NAMES.items(), strict=True):
            _draw_panel(axes, members, layer, drop)
            title = runs.place(name, layer)
            panel(axes, f"{title}: {label}", "units or directions, sorted by drop")
        row[0].set_ylabel(POINTS, fontsize=8)
    legend(canvas, grid.flat[0])
    return canvas


def _draw_panel(axes: Axes, members: Sequence[Run], layer: str, drop: str) -> None:
    units = np.stack([run.sweeps[layer][drop].values for run in members])
    directions = np.concatenate(
        [_directions(run.kind("rotations")[layer], drop) for run in members]
    )
    for values, colour, label in (
        (directions, GAIN, "directions of random rotations"),
        (units, DAMAGE, "units"),
    ):
        curves = -np.sort(-100 * values, axis=1)
        rank = np.arange(1, curves.shape[1] + 1)
        axes.fill_between(rank, curves.min(0), curves.max(0), color=colour, alpha=0.2, linewidth=0)
        axes.plot(rank, curves.mean(0), color=colour, linewidth=1.5, label=label)


def _directions(rotations: xr.Dataset, drop: str) -> np.ndarray:
    """A drop by rotation and direction."""
    return rotations[drop].transpose("rotation", "direction").values


def _caption(runs: Runs, panels: Sequence[tuple[str, str, Sequence[Run]]]) -> str:
    first = panels[0][2][0].kind("rotations")[panels[0][1]]
    ranges = "rotations and seeds" if runs.several else "rotations"
    return (
        f"Accuracy drops of units and of directions of {first.sizes['rotation']} random rotations, "
        f"sorted; bands are the range over {ranges}. After paper A, figure 7."
    )


def _table(panels: Sequence[tuple[str, str, Sequence[Run]]]) -> Table:
    rows = []
    for name, layer, members in panels:
        for run in members:
            cells: list[str] = []
            for drop in _NAMES:
                units = run.sweeps[layer][drop].values
                directions = _directions(run.kind("rotations")[layer], drop).ravel()
                test = scipy.stats.mannwhitneyu(units, directions)
                cells += [
                    f"{100 * units.mean():.2f}",
                    f"{100 * directions.mean():.2f}",
                    f"{test.pvalue:.2g}",
                ]
            rows.append((name, run.seed, layer, *cells))
    heads = [f"{label}, {of}" for label in _NAMES.values() for of in ("units", "directions", "p")]
    return Table(
        caption="Mean drops in percentage points",
        columns=("network", "seed", "layer", *heads),
        rows=rows,
    )


experiment = Experiment(
    "rotations",
    _section,
    needs=(ablation, rotations),
    paper="A",
    figures="7",
    groups=("paper_a",),
)
