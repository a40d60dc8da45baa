"""Units of each layer sorted by their max class accuracy drop (paper A, figure 3)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

import jaxunits as ju

from .figures import DAMAGE, GAIN, OVERALL, png, tidy
from .measure import Measurements
from .section import Figure, Section, Table

_COLUMNS = 4
_MEASURED = """Every unit of a layer is ablated alone: its output is fixed for every image. The
overall accuracy drop counts all images, the class accuracy drop the images of one class; a drop is
the accuracy before minus the accuracy after, so positive means damage. Units are sorted by the drop
of the class that they damage most."""
_READING = """Where the max class drop rises far above the overall drop, units serve single classes:
the network as a whole hardly notices that such a unit is gone, one class does. With few images a
class the largest of many noisy drops is above zero by chance alone:"""


def run(measurements: Measurements) -> Section:
    """The curves of all layers, and each layer's extremes."""
    sweeps = measurements.sweeps
    return Section(
        title="Class accuracy drop, layer by layer",
        text=[_MEASURED, f"{_READING} {_resolution(sweeps)}"],
        figures=[Figure("drop_curves", png(_draw(sweeps)), _caption(sweeps))],
        tables=[_table(sweeps)],
    )


def _resolution(sweeps: Mapping[str, xr.Dataset]) -> str:
    count = next(iter(sweeps.values()))["count"].values
    least = int(count[count > 0].min())
    return f"one image of the smallest class ({least} images) is {1 / least:.1%}."


def _draw(sweeps: Mapping[str, xr.Dataset]) -> Canvas:
    columns = min(_COLUMNS, len(sweeps))
    rows = -(-len(sweeps) // columns)
    canvas = Canvas(figsize=(3 * columns + 0.4, 2.7 * rows + 0.5), layout="constrained")
    grid = canvas.subplots(rows, columns, sharey=True, squeeze=False)
    for axes in grid.flat[len(sweeps) :]:
        axes.remove()
    for axes, (layer, sweep) in zip(grid.flat, sweeps.items(), strict=False):
        order = np.argsort(-sweep.max_class_accuracy_drop.values, kind="stable")
        rank = np.arange(1, len(order) + 1)
        for name, colour, label in (
            ("max_class_accuracy_drop", DAMAGE, "max class drop"),
            ("overall_accuracy_drop", OVERALL, "overall drop"),
            ("min_class_accuracy_drop", GAIN, "min class drop"),
        ):
            values = 100 * sweep[name].values[order]
            axes.plot(rank, values, color=colour, label=label, linewidth=1.5)
        axes.axhline(0, color="0.6", linewidth=0.6, zorder=0)
        axes.set_title(f"{layer} ({len(order)} units)", fontsize=10)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.set_xlabel("units, sorted by max class drop", fontsize=8)
        tidy(axes)
    for axes in grid[:, 0]:
        axes.set_ylabel("accuracy drop\n(percentage points)", fontsize=8)
    handles, labels = grid.flat[0].get_legend_handles_labels()
    canvas.legend(handles, labels, loc="outside upper center", ncols=3, fontsize=8, frameon=False)
    return canvas


def _caption(sweeps: Mapping[str, xr.Dataset]) -> str:
    first = next(iter(sweeps.values()))
    return (
        f"Max, min and overall accuracy drop of every unit, ablated to {first.attrs['values']}, on "
        f"{int(first['count'].sum()):,} images ({first.attrs['data']}, {first.attrs['split']}). "
        "After paper A, figure 3."
    )


def _table(sweeps: Mapping[str, xr.Dataset]) -> Table:
    return Table(
        caption="The layers' extremes",
        columns=(
            "layer",
            "units",
            "overall drop, mean",
            "overall drop, largest",
            "max class drop",
            "class",
            "unit",
            "units with max class drop ≥ 5 points",
        ),
        rows=[_row(layer, sweep) for layer, sweep in sweeps.items()],
    )


def _row(layer: str, sweep: xr.Dataset) -> tuple[str, ...]:
    overall = sweep.overall_accuracy_drop.values
    largest = sweep.max_class_accuracy_drop.values
    unit = int(ju.ablation.most_damaging(sweep, 1)[0])
    return (
        layer,
        str(len(largest)),
        f"{overall.mean():.2%}",
        f"{overall.max():.2%}",
        f"{largest[unit]:.1%}",
        str(sweep.most_damaged_class.values[unit]),
        str(unit),
        f"{(largest >= 0.05).mean():.0%}",
    )
