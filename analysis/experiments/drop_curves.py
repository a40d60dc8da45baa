"""Units of each layer sorted by their max class accuracy drop (paper A, figure 3)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

import jaxunits as ju

from ..experiment import Experiment
from ..figures import CHANCE, DAMAGE, GAIN, OVERALL, POINTS, legend, panel, rendered
from ..measurements.ablation import ablation
from ..runs import Runs
from ..section import Section, Table
from . import comparison

_COLUMNS = 4
_DRAWS = 200
_MEASURED = """Every unit of a layer is ablated alone: its output is fixed for every image. The
overall accuracy drop counts all images, the class accuracy drop the images of one class; a drop is
the accuracy before minus the accuracy after, so positive means damage. Units are sorted by the
drop of the class that they damage most."""
_READING = """Where the max class drop rises far above the overall drop, units serve single
classes: the network as a whole hardly notices that such a unit is gone, one class does. With few
images per class the largest of many noisy drops is above zero by chance alone:"""
_CHANCE = """The grey curve is the max class drop that the same numbers of changed predictions
would give if each had gone either way by chance, with the range of 95 % of such draws. Intervals
are score intervals of the paired counts (Tango 1998); a (unit, class) pair counts as damaged where
an exact McNemar test says so with 5 % false discoveries expected among all pairs of the layer."""


def _section(runs: Runs) -> Section:
    """The curves of all layers and each layer's extremes; of several networks, compared."""
    if runs.several:
        return comparison.run(runs)
    sweeps = runs.every[0].sweeps
    sure = {
        layer: ju.statistics.uncertainty(sweep, num_draws=_DRAWS) for layer, sweep in sweeps.items()
    }
    return Section(
        title="Class accuracy drop, layer by layer",
        text=[_MEASURED, f"{_READING} {_resolution(sweeps)} {_CHANCE}"],
        figures=[rendered("drop_curves", _draw(sweeps, sure), _caption(sweeps))],
        tables=[_table(sweeps, sure)],
    )


def _resolution(sweeps: Mapping[str, xr.Dataset]) -> str:
    count = next(iter(sweeps.values()))["n_images"].values
    least = int(count[count > 0].min())
    return f"one image of the smallest class ({least} images) is {1 / least:.1%}."


def _draw(sweeps: Mapping[str, xr.Dataset], sure: Mapping[str, xr.Dataset]) -> Canvas:
    columns = min(_COLUMNS, len(sweeps))
    rows = -(-len(sweeps) // columns)
    canvas = Canvas(figsize=(3 * columns + 0.4, 2.7 * rows + 0.5), layout="constrained")
    grid = canvas.subplots(rows, columns, sharey=True, squeeze=False)
    for axes in grid.flat[len(sweeps) :]:
        axes.remove()
    for axes, (layer, sweep) in zip(grid.flat, sweeps.items(), strict=False):
        order = np.argsort(-sweep.max_class_accuracy_drop.values, kind="stable")
        rank = np.arange(1, len(order) + 1)
        draw_chance(axes, rank, sure[layer])
        for name, colour, label in (
            ("max_class_accuracy_drop", DAMAGE, "max class drop"),
            ("overall_accuracy_drop", OVERALL, "overall drop"),
            ("min_class_accuracy_drop", GAIN, "min class drop"),
        ):
            values = 100 * sweep[name].values[order]
            axes.plot(rank, values, color=colour, label=label, linewidth=1.5)
        panel(axes, f"{layer} ({len(order)} units)", "units, sorted by max class drop")
    for axes in grid[:, 0]:
        axes.set_ylabel(POINTS, fontsize=8)
    legend(canvas, grid.flat[0])
    return canvas


def draw_chance(axes: Axes, rank: np.ndarray, sure: xr.Dataset) -> None:
    """The max class drop that chance would give, with its range."""
    low, high = (100 * sure[name].values for name in ("chance_low", "chance_high"))
    axes.fill_between(rank, low, high, color=CHANCE, alpha=0.3, linewidth=0)
    axes.plot(rank, 100 * sure.chance_drop.values, color=CHANCE, linewidth=1.2, label="by chance")


def _caption(sweeps: Mapping[str, xr.Dataset]) -> str:
    first = next(iter(sweeps.values()))
    return (
        f"Max, min and overall accuracy drop of every unit, ablated to {first.attrs['values']}, on "
        f"{int(first['n_images'].sum()):,} images ({first.attrs['data']}, {first.attrs['split']}). "
        "Grey: the max class drop expected from chance. After paper A, figure 3."
    )


def _table(sweeps: Mapping[str, xr.Dataset], sure: Mapping[str, xr.Dataset]) -> Table:
    return Table(
        caption="The layers' extremes",
        columns=(
            "layer",
            "units",
            "overall drop, mean",
            "overall drop, largest",
            "max class drop (95 % interval)",
            "class",
            "unit",
            "units with max class drop ≥ 5 points",
            "damaged (unit, class) pairs",
        ),
        rows=[_row(layer, sweep, sure[layer]) for layer, sweep in sweeps.items()],
    )


def _row(layer: str, sweep: xr.Dataset, sure: xr.Dataset) -> tuple[str, ...]:
    overall = sweep.overall_accuracy_drop.values
    largest = sweep.max_class_accuracy_drop.values
    unit = int(ju.results.most_damaging(sweep, 1)[0])
    name = str(sweep.most_damaged_class.values[unit])
    pair = sure.sel({"class": name}).isel(unit=unit)
    return (
        layer,
        str(len(largest)),
        f"{overall.mean():.2%}",
        f"{overall.max():.2%}",
        f"{largest[unit]:.1%} ({float(pair.drop_low):.1%} to {float(pair.drop_high):.1%})",
        name,
        str(unit),
        f"{(largest >= 0.05).mean():.0%}",
        f"{int(sure.damaged.sum()):,} of {int(sure.p_value.notnull().sum()):,}",
    )


experiment = Experiment(
    "drop_curves",
    _section,
    needs=(ablation,),
    paper="A",
    figures="3, 8",
    groups=("paper_a", "paper_c"),
)
