"""How few units carry a class: greedy against random ablation (Zhou et al. 2018, figure 4)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from ..experiment import Experiment
from ..figures import CHANCE, DAMAGE, POINTS, band, label_of, legend, look_of, rendered, tidy
from ..findings import counted, foremost
from ..measurements.greedy import greedy
from ..runs import Panel, Runs
from ..section import Figure, Section, Table

_CLASSES = 5
_TEXT = """For a class, the unit is ablated whose loss leaves the fewest of its images correct, then
the next one given the first, and so on. Left: the accuracy of some classes along their own series.
Right: the drop of each class along its own series, averaged over all classes, against random orders
of units, where the band is one standard deviation over the orders. Orders are chosen and measured
on the same images, as in Zhou et al. 2018, which flatters the greedy ones."""


def _section(runs: Runs) -> Section:
    """Single classes, and the average over classes."""
    panels = runs.panels("greedy")
    return Section(
        title="Greedy ablation",
        text=[_TEXT],
        figures=[_figure(panels)],
        tables=[_table(panels)],
        findings=foremost(map(_found, panels), "largest greedy drops"),
    )


def _found(panel: Panel) -> tuple[float, str]:
    """The largest greedy drop in points, and the sentence: how few units take half of a class."""
    greedy, random, spread = _averages(panel.results)
    before = 100 * np.mean([_own_curves(each)[:, 0].mean() for each in panel.results])
    halved = np.flatnonzero(greedy >= before / 2)
    step = int(halved[0]) if len(halved) else len(greedy) - 1
    head = f"{panel.title}: without {counted(step, 'unit')} chosen for it a class loses"
    by_chance = f"{random[step]:.1f} ± {spread[step]:.1f}" if len(random) else "not measured"
    return float(greedy.max()), (
        f"{head} {greedy[step]:.1f} of its {before:.1f} points of accuracy on average"
        f"{', half of them' if len(halved) else ', less than half'}; without as many random units "
        f"{by_chance}."
    )


def _figure(panels: Sequence[Panel]) -> Figure:
    canvas = Canvas(figsize=(9.2, 3.1 * len(panels) + 0.3), layout="constrained")
    grid = canvas.subplots(len(panels), 2, squeeze=False)
    for (left, right), panel in zip(grid, panels, strict=True):
        _draw_classes(left, panel.results[0])
        left.set_title(f"{panel.title}: single classes")
        _draw_average(right, panel.results)
        right.set_title(f"{panel.title}: average over classes")
        for axes in (left, right):
            axes.set_xlabel("ablated units")
            axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
            tidy(axes)
    legend(canvas, grid[0, 1])
    seeds = len(panels[0].runs)
    averaged = f" The average is over {seeds} seeds too." if seeds > 1 else ""
    return rendered(
        "greedy",
        canvas,
        "Class accuracy along greedy series of ablations, and the drop averaged over all classes "
        f"against random orders.{averaged} After Zhou et al. 2018, figure 4.",
    )


def _draw_classes(axes: Axes, greedy: xr.Dataset) -> None:
    """Classes in even steps through their list, each with its own series."""
    names, curves = list(filter(None, greedy.target.values)), 100 * _own_curves(greedy)
    chosen = np.unique(np.linspace(0, len(names) - 1, _CLASSES).round().astype(int))
    for number, place in enumerate(chosen.tolist()):
        name = label_of(str(names[place]))
        axes.plot(np.arange(curves.shape[1]), curves[place], label=name, **look_of(number))
    axes.set_ylabel("class accuracy (%)")
    axes.set_ylim(bottom=0)
    axes.legend(title="class", fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))


def _own_curves(greedy: xr.Dataset) -> np.ndarray:
    """The accuracy of each class along the order that is chosen for it, `[classes, steps]`."""
    own = greedy.class_accuracy.isel(order=greedy.target.values != "")
    names = xr.DataArray(list(filter(None, greedy.target.values)), dims="order")
    return own.sel({"class": names}).transpose("order", "step").values


def _draw_average(axes: Axes, each: Sequence[xr.Dataset]) -> None:
    greedy, random, spread = _averages(each)
    step = np.arange(len(greedy))
    curves = random - spread, random, random + spread
    band(axes, step, curves, alpha=0.3, color=CHANCE, linewidth=1.5, label="random orders")
    axes.plot(step, greedy, color=DAMAGE, linewidth=1.5, label="greedy")
    axes.set_ylabel(f"class {POINTS}")


def _averages(each: Sequence[xr.Dataset]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Drops in points, by step: of the chosen class, greedy; of all classes, random, and its sd."""
    chosen, random = [], []
    for result in each:
        own = _own_curves(result)
        chosen.extend(own[:, :1] - own)
        named = sorted(set(filter(None, result.target.values)))
        others = result.class_accuracy.isel(order=result.target.values == "").sel({"class": named})
        mean = others.mean("class").transpose("order", "step").values
        random.extend(mean[:, :1] - mean)
    return 100 * np.mean(chosen, 0), 100 * np.mean(random, 0), 100 * np.std(random, 0)


def _table(panels: Sequence[Panel]) -> Table:
    rows = []
    for panel in panels:
        greedy, random, _ = _averages(panel.results)
        for step in sorted({min(step, len(greedy) - 1) for step in (1, 2, 5, 10, 20)}):
            drops = {"greedy": f"{greedy[step]:.1f}", "random": f"{random[step]:.1f}"}
            rows.append({**panel.head, "ablated units": step, **drops})
    caption = "Drop of a class's accuracy, percentage points, mean over classes"
    return Table.of(caption, rows)


experiment = Experiment("greedy", _section, needs=(greedy,), paper="A", figures="4")
