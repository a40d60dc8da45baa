"""Shapley values beside single ablation and every attribute, and pruning by every rank."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from ..agreement import Agreement, agreement
from ..experiment import Experiment
from ..figures import CHANCE, DAMAGE, GAIN, band, color_of, legend, panel, rendered, style_of, tidy
from ..findings import attribute_label, foremost
from ..measurements.ablation import ablation
from ..measurements.attributes import attributes
from ..measurements.pruning import pruning
from ..measurements.shapley import shapley
from ..runs import Panel, Run, Runs
from ..section import Section, Table
from .scores import scores

_VALUES = """The Shapley value of a unit is what it adds to the accuracy when it joins the units of
its layer in a random order, mean over orders (Ghorbani and Zou 2020, "Neuron Shapley"): the values
of a layer sum to the accuracy with all units less that with none. Ablating a unit alone asks only
what it adds to all others, where others can stand in for it. Error bars are standard errors over
orders; the table has Spearman's r of the values with every attribute, with 95 % intervals of
resampled units."""
_PRUNING = """Pruning: units go one after another, the least important first, by every rank. Ranks
are made on {images} and the accuracy is measured on others. The later a curve falls, the better its
rank tells which units the network can do without."""
_SHOWN = ("Shapley value", "single ablation", "taylor", "l1_norm", "activation_mean")


def _section(runs: Runs) -> Section:
    """Values against single ablation, pruning curves, and tables of both."""
    panels, pruned = runs.panels("shapley"), runs.panels("pruning")
    images = str(pruned[0].results[0].attrs["ranked_on"])
    return Section(
        title="Shapley values of units",
        text=[_VALUES, _PRUNING.format(images=images)],
        figures=[
            rendered("shapley", _draw(panels), _caption(panels)),
            rendered("pruning", _draw_pruning(pruned), _pruning_caption(pruned)),
        ],
        tables=[_table(runs, panels), _pruning_table(pruned)],
        findings=[
            *foremost([_found(each) for each in panels], "largest Shapley values"),
            *foremost([_kept(each) for each in pruned], "largest leads over random orders"),
        ],
    )


def _found(shown: Panel) -> tuple[float, str]:
    """The largest value in points, and the sentence: it, and r with single ablation."""
    first = shown.results[0]
    unit = int(first.shapley.values.argmax())
    largest, error = 100 * float(first.shapley[unit]), 100 * float(first.shapley_error[unit])
    r = [_with_single(run, shown.layer) for run in shown.runs]
    mean = np.mean([each.r for each in r])
    interval = f" [{r[0].low:+.2f}, {r[0].high:+.2f}]" if len(r) == 1 else f", {len(r)} networks"
    return largest, (
        f"{shown.title}: the units' Shapley values and their overall drops when ablated alone have "
        f"the rank correlation {mean:+.2f}{interval}; unit {int(first.unit[unit])} has the largest "
        f"value, {largest:.2f} ± {error:.2f} points of accuracy, over {first.attrs['orders']} "
        "orders."
    )


def _with_single(run: Run, layer: str) -> Agreement:
    """How far values go with what ablation of single units costs."""
    values = run.kind("shapley")[layer].shapley.values[:, None]
    return agreement(values, run.sweeps[layer].overall_accuracy_drop.values[:, None])


def _draw(panels: Sequence[Panel]) -> Canvas:
    canvas = Canvas(figsize=(9.2, 3.1 * len(panels) + 0.4), layout="constrained")
    grid = canvas.subplots(len(panels), 2, squeeze=False)
    for (left, right), shown in zip(grid, panels, strict=True):
        run, values = next(iter(shown.each))
        sweep = run.sweeps[shown.layer]
        left.errorbar(
            100 * sweep.overall_accuracy_drop.values,
            100 * values.shapley.values,
            yerr=100 * values.shapley_error.values,
            fmt="o",
            color=DAMAGE,
            markersize=3,
            linewidth=0.6,
            label="units",
        )
        left.set(xlabel="overall drop when ablated alone (points)", ylabel="Shapley value (points)")
        right.plot(
            100 * sweep.class_accuracy_drop.values.ravel(),
            100 * values.shapley_by_class.values.ravel(),
            "o",
            color=GAIN,
            markersize=2,
            alpha=0.5,
            label="units and classes",
        )
        right.set(xlabel="class drop when ablated alone (points)")
        for axes, title in ((left, "all images"), (right, "class by class")):
            axes.set_title(f"{shown.title}: {title}", fontsize=9)
            axes.axline((0, 0), slope=1, color="0.7", linewidth=0.8, linestyle=":")
            tidy(axes)
    return canvas


def _caption(panels: Sequence[Panel]) -> str:
    seed = " First seed of each configuration." if len(panels[0].runs) > 1 else ""
    return (
        "Shapley values of units against the accuracy drop when each is ablated alone; on the "
        f"dotted line both are equal.{seed}"
    )


def _table(runs: Runs, panels: Sequence[Panel]) -> Table:
    rows = []
    for shown in panels:
        for run, values in shown.each:
            sweep = run.sweeps[shown.layer]
            alone = {
                "single ablation": sweep.overall_accuracy_drop.values,
                "single ablation, max class drop": sweep.max_class_accuracy_drop.values,
            }
            others = {
                attribute_label(score.name): score.of_unit
                for score in scores(run, shown.layer, runs.config)
                if score.kind != "shapley"
            }
            for name, numbers in {**alone, **others}.items():
                found = agreement(np.asarray(numbers)[:, None], values.shapley.values[:, None])
                cell = f"{found.r:+.2f} [{found.low:+.2f}, {found.high:+.2f}]"
                known = cell if np.isfinite(found.r) else ""
                rows.append({**shown.head_of(run), "attribute": name, "r": known})
    return Table.of("Spearman's r with the Shapley value of the accuracy", rows)


def _kept(shown: Panel) -> tuple[float, str]:
    """How far pruning by Shapley values leads over random orders, and the sentence."""
    area = {name: _area(shown.results, name) for name in _rankings(shown.results[0])}
    random = float(np.mean([each.random_accuracy.mean() for each in shown.results]))
    own = area.pop("Shapley value")
    best = max(area, key=lambda name: area[name])
    return own - random, (
        f"{shown.title}: pruned by Shapley values the network keeps {own:.1%} accuracy on average "
        f"over all steps, {area['single ablation']:.1%} by single ablation, {random:.1%} in random "
        f"orders, and {area[best]:.1%} by {attribute_label(best)}, the best of the other ranks."
    )


def _rankings(curves: xr.Dataset) -> list[str]:
    return [str(name) for name in curves.ranking.values]


def _area(each: Sequence[xr.Dataset], name: str) -> float:
    """The mean accuracy along an order, over networks."""
    return float(np.mean([curves.accuracy.sel(ranking=name).mean() for curves in each]))


def _draw_pruning(panels: Sequence[Panel]) -> Canvas:
    canvas = Canvas(figsize=(7.6, 3.1 * len(panels) + 0.6), layout="constrained")
    grid = canvas.subplots(len(panels), 1, squeeze=False)[:, 0]
    for axes, shown in zip(grid, panels, strict=True):
        _draw_curves(axes, shown.results[0])
        panel(axes, shown.title, "ablated units, the least important first")
        axes.set_ylabel("accuracy (%)")
    legend(canvas, grid[0])
    return canvas


def _draw_curves(axes: Axes, curves: xr.Dataset) -> None:
    step = curves.step.values
    random = 100 * curves.random_accuracy.values
    if len(random):
        ends = random.min(0), random.mean(0), random.max(0)
        band(axes, step, ends, alpha=0.3, color=CHANCE, linewidth=1.5, label="random orders")
    for number, name in enumerate(_SHOWN):
        if name in curves.ranking:
            values = 100 * curves.accuracy.sel(ranking=name).values
            color, style = color_of(number), style_of(number)
            axes.plot(step, values, style, color=color, label=attribute_label(name), linewidth=1.4)


def _pruning_caption(panels: Sequence[Panel]) -> str:
    images = int(panels[0].results[0]["n_images"])
    return (
        f"Accuracy on {images:,} images while units are ablated one after another, by some of the "
        "ranks; all are in the table."
    )


def _pruning_table(panels: Sequence[Panel]) -> Table:
    rows = []
    for shown in panels:
        for run, curves in shown.each:
            half = curves.sizes["step"] // 2
            for name in _rankings(curves):
                curve = curves.accuracy.sel(ranking=name).values
                rows.append(
                    {
                        **shown.head_of(run),
                        "rank": attribute_label(name),
                        **_kept_cells(curve, half),
                    }
                )
            if curves.sizes["draw"]:
                mean = curves.random_accuracy.mean("draw").values
                rows.append({**shown.head_of(run), "rank": "random", **_kept_cells(mean, half)})
    return Table.of("What pruning by each rank keeps of the accuracy", rows)


def _kept_cells(curve: np.ndarray, half: int) -> dict[str, str]:
    return {
        "mean over all steps": f"{curve.mean():.1%}",
        "with half of the units": f"{curve[half]:.1%}",
        "units that go before 10 points are lost": str(units_before(curve, 0.1)),
    }


def units_before(curve: np.ndarray, loss: float) -> int:
    """How many units go before the accuracy falls by more than this for the first time."""
    below = np.flatnonzero(curve < curve[0] - loss)
    return int(below[0]) - 1 if len(below) else len(curve) - 1


experiment = Experiment("shapley", _section, needs=(ablation, attributes, shapley, pruning))
