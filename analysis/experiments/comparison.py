"""Drop curves of several networks side by side (Zhou et al. 2018, figures 3 and 8)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

import jaxunits as ju

from ..drawn_values import unlisted
from ..figures import (
    BY_CHANCE,
    CHANCE,
    POINTS,
    band,
    color_of,
    label_of,
    legend,
    panel,
    panels_of,
    rendered,
)
from ..findings import foremost, points
from ..report import accuracy, images_of
from ..runs import Panel, Runs
from ..section import Figure, Section, Table

_COLUMNS = 4
_DRAWS = 50
_TEXT = """Every unit of a layer is ablated alone; units are sorted by the accuracy drop of the
class that they damage most. Solid curves are means over the seeds of a configuration, with the
range of the seeds; dashed ones the overall accuracy drop of the same units. The flatter the curve
of the max class drop, the less single classes depend on single units. The gray curves are what
chance alone would give, for the configuration that it would give most."""


def run(runs: Runs) -> Section:
    """One panel per layer with all configurations, and a table."""
    layers, panels = runs.layers("ablation"), runs.panels("ablation")
    damaged = [_damaged(panel) for panel in panels]
    return Section(
        title="Class accuracy drop, network by network",
        text=[_TEXT],
        figures=[_figure(runs, layers)],
        tables=[
            Table.of(
                "Means over the seeds of each configuration, ± standard deviation over seeds",
                map(_row, panels, damaged),
            )
        ],
        findings=foremost(map(_found, panels, damaged), "largest mean max class drops"),
    )


def _damaged(panel: Panel) -> list[int]:
    """How many (unit, class) pairs are damaged beyond chance, by seed."""
    sure = [ju.statistics.uncertainty(sweep, num_draws=1) for sweep in panel.results]
    return [int(each.damaged.sum()) for each in sure]


def _found(panel: Panel, damaged: Sequence[int]) -> tuple[float, str]:
    """The mean max class drop of a configuration's layer, and the sentence."""
    sweeps = panel.results
    pairs = sweeps[0].sizes["unit"] * int((sweeps[0].n_images > 0).sum())
    largest = float(np.mean([sweep.max_class_accuracy_drop.mean() for sweep in sweeps]))
    overall = float(np.mean([sweep.overall_accuracy_drop.mean() for sweep in sweeps]))
    seeds = f", mean of {len(sweeps)} seeds ({min(damaged)} to {max(damaged)})"
    return largest, (
        f"{panel.title}: {np.mean(damaged):.3g} of {pairs:,} (unit, class) pairs are damaged "
        f"beyond chance{seeds if len(sweeps) > 1 else ''}; on average a unit costs its most "
        f"damaged class {points(largest)} points and all classes together {points(overall)}."
    )


def _figure(runs: Runs, layers: Sequence[str]) -> Figure:
    canvas, grid = panels_of(len(layers), _COLUMNS, (3.2, 2.9), around=(0.4, 0.6), label=POINTS)
    for axes, layer in zip(grid, layers, strict=True):
        _draw_layer(axes, runs, layer)
    legend(canvas, *grid)
    return rendered(
        "drop_curves",
        canvas,
        "Max class accuracy drop (solid) and overall accuracy drop (dashed) of every unit on "
        f"{images_of(runs.every[0].sweeps)}. After Zhou et al. 2018, figures 3 and 8.",
    )


def _draw_layer(axes: Axes, runs: Runs, layer: str) -> None:
    chance = []
    for number, (name, members) in enumerate(runs.configurations.items()):
        sweeps = [run.sweeps[layer] for run in members if layer in run.sweeps]
        if not sweeps:
            continue
        color = color_of(number)
        largest = sorted_drops(sweeps, "max_class_accuracy_drop")
        rank = np.arange(1, largest.shape[1] + 1)
        curves = largest.min(0), largest.mean(0), largest.max(0)
        band(axes, rank, curves, color=color, linewidth=1.5, label=label_of(name))
        overall = sorted_drops(sweeps, "overall_accuracy_drop").mean(0)
        dashed: Any = {"color": color, "linewidth": 1, "linestyle": "--"}
        axes.plot(rank, overall, label=unlisted(f"{name}, overall drop"), **dashed)
        sure = ju.statistics.uncertainty(sweeps[0], num_draws=_DRAWS)
        chance.append(100 * sure.chance_drop.values)
    most = max(chance, key=lambda curve: float(curve.mean()))
    axes.plot(np.arange(1, len(most) + 1), most, color=CHANCE, linewidth=1.2, label=BY_CHANCE)
    panel(axes, layer, "units, sorted by drop")


def sorted_drops(sweeps: Sequence[xr.Dataset], name: str) -> np.ndarray:
    """A drop of every unit in points, sorted, `[networks, units]`."""
    drops = 100 * np.stack([sweep[name].values for sweep in sweeps])
    return -np.sort(-drops, axis=1)


def _row(panel: Panel, damaged: Sequence[int]) -> dict[str, object]:
    sweeps = panel.results
    overall = [float(sweep.overall_accuracy_drop.mean()) for sweep in sweeps]
    largest = [sweep.max_class_accuracy_drop.values for sweep in sweeps]
    return {
        "configuration": panel.configuration,
        "layer": panel.layer,
        "seeds": len(sweeps),
        "accuracy": spread([accuracy(sweep) for sweep in sweeps]),
        "mean overall drop": spread(overall),
        "mean max class drop": spread([float(drops.mean()) for drops in largest]),
        "largest max class drop": spread([float(drops.max()) for drops in largest]),
        "damaged (unit, class) pairs": f"{np.mean(damaged):.1f}",
    }


def spread(values: Sequence[float]) -> str:
    """Mean ± standard deviation, as percentages."""
    if len(values) == 1:
        return f"{values[0]:.2%}"
    return f"{np.mean(values):.2%} ± {np.std(values, ddof=1):.2%}"
