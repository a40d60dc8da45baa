"""Cumulative ablation by importance, and its phase transition (Zhao and Zhang 2021, figure 3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

import jaxunits as ju

from ..experiment import Experiment
from ..figures import CHANCE, OVERALL, band, color_of, legend, panel, rendered
from ..findings import foremost
from ..measurements.ablation import ablation
from ..measurements.cumulative import cumulative
from ..measurements.topology import Topology
from ..runs import Panel, Runs
from ..section import Figure, Section, Table

_FIRST, _LAST = "most important first", "least important first"
_MEASURED = """The units of a layer are ablated one after another, and the accuracy and loss of a
class are measured on its held-out images. Orders come from training images of that class: the
importance rank of the feature topology (effectiveness: the selective rate over the feature
entropy), and beside it the L1 norm, APoZ (fewest zeros first), the class selectivity, the Taylor
estimate of the loss, and random orders (mean of {draws}; the band is one standard deviation).
Greedy ablation, chosen on training images too, is close to the fastest that a class can be lost; it
is there for the class that is shown alone."""
_READING = """With the least important unit first, accuracy that holds or even rises until few units
are left and then falls within few more is what Zhao and Zhang 2021 call a phase transition. What
it says about the importance rank shows only beside the other rankings: a later and higher peak than
that of random orders means that the units left are those that carry the class. With every unit
ablated the network gives all images the same answer; the class that it then predicts keeps its
accuracy and has no fall."""

_FOUND = (
    "Over {curves} curves, one per class and network: with the least important unit first the "
    "importance rank keeps a higher mean accuracy than {others}."
)


def _section(runs: Runs) -> Section:
    """Curves of one class and of the average over classes; a table of peaks and falls."""
    panels = runs.panels("cumulative")
    measured = _MEASURED.format(draws=panels[0].results[0].sizes["draw"])
    return Section(
        title="Cumulative ablation and the phase transition",
        text=[measured, _READING],
        figures=[_figure(runs, panel) for panel in panels],
        tables=[_table(panels)],
        findings=[
            _found(panels),
            *foremost(map(_kept, panels), "largest leads over random orders"),
        ],
    )


def _means(curves: xr.Dataset) -> dict[str, np.ndarray]:
    """The mean accuracy of each class with the least important unit first, by ranking."""
    last = curves.accuracy.sel(direction=_LAST).mean("step")
    random = curves.random_accuracy.mean(["draw", "step"]).values
    names = ["importance", *_others(curves)]
    return {"random orders": random, **{name: last.sel(ranking=name).values for name in names}}


def _kept(shown: Panel) -> tuple[float, str]:
    """How far the importance rank is ahead of random orders, and the sentence."""
    each = [_means(curves) for curves in shown.results]
    others = {name: float(np.mean([of[name].mean() for of in each])) for name in each[0]}
    own, random = others.pop("importance"), others.pop("random orders")
    best = max(others, key=lambda name: others[name])
    return own - random, (
        f"{shown.title}: with the least important unit first a class keeps {own:.1%} accuracy on "
        f"average by the importance rank, {random:.1%} by random orders, and {others[best]:.1%} by "
        f"{best}, the best of the other rankings."
    )


def _found(panels: Sequence[Panel]) -> str:
    """How often the importance rank keeps a class longer than the other rankings do."""
    each = [_means(curves) for panel in panels for curves in panel.results]
    kept = {name: np.concatenate([of[name] for of in each]) for name in each[0]}
    own = kept.pop("importance")
    longer = [f"{name} in {int((own > mean).sum())}" for name, mean in kept.items()]
    return _FOUND.format(curves=len(own), others=", than ".join(longer))


def _figure(runs: Runs, shown: Panel) -> Figure:
    first = shown.results[0]
    name = runs.config.of(Topology).shown([str(value) for value in first["class"].values])
    stem = f"{shown.configuration}_{shown.layer}" if runs.several else shown.layer
    seeds = f" and {len(shown.runs)} seeds" if len(shown.runs) > 1 else ""
    return rendered(
        f"phase_transition_{stem}",
        _draw(shown.results, name),
        f"{shown.title}: accuracy and loss along cumulative ablation, the most important unit "
        f"first and the least important first; upper two rows class {name} "
        f"({shown.runs[0].seed}), lower two the mean over {first.sizes['class']} classes{seeds}. "
        "After Zhao and Zhang 2021, figure 3.",
    )


def _draw(each: Sequence[xr.Dataset], shown: str) -> Canvas:
    canvas = Canvas(figsize=(9.2, 11), layout="constrained")
    grid = canvas.subplots(4, 2, sharex=True, sharey="row")
    single = each[0].sel({"class": shown})
    mean = xr.concat(each, "seed", data_vars="all").mean(["seed", "class"], skipna=False)
    for rows, curves, title in (
        (grid[:2], single, f"class {shown}"),
        (grid[2:], mean, "mean over classes"),
    ):
        for row, kind, unit in zip(rows, ("accuracy", "loss"), ("%", "nats"), strict=True):
            for axes, direction in zip(row, (_FIRST, _LAST), strict=True):
                _draw_curves(axes, curves, kind, direction)
                panel(axes, f"{title}: {direction}", "ablated units")
            row[0].set(ylabel=f"class {kind} ({unit})")
            row[0].set_ylim(0, 103 if kind == "accuracy" else None)
    legend(canvas, grid[0, 0])
    return canvas


def _draw_curves(axes: Axes, curves: xr.Dataset, kind: str, direction: str) -> None:
    scale = 100 if kind == "accuracy" else 1
    random = scale * curves[f"random_{kind}"].values
    mean, spread = random.mean(0), random.std(0)
    step = curves.step.values
    most = 100 if kind == "accuracy" else np.inf
    low, high = np.clip([mean - spread, mean + spread], 0, most)
    band(axes, step, (low, mean, high), alpha=0.3, color=CHANCE, linewidth=1.5, label="random")
    for number, name in enumerate(_others(curves)):
        values = scale * curves[kind].sel(ranking=name, direction=direction).values
        axes.plot(step, values, color=color_of(number + 1), linewidth=1.2, label=name)
    bound = scale * curves[f"greedy_{kind}"].values
    if direction == _FIRST and np.isfinite(bound).all():
        axes.plot(step, bound, color=OVERALL, linewidth=1.2, linestyle=":", label="greedy")
    values = scale * curves[kind].sel(ranking="importance", direction=direction).values
    axes.plot(step, values, color=color_of(0), linewidth=2.2, label="importance")


def _others(curves: xr.Dataset) -> list[str]:
    return [str(name) for name in curves.ranking.values if name != "importance"]


def _table(panels: Sequence[Panel]) -> Table:
    rows = []
    for shown in panels:
        of = xr.concat(shown.results, "seed", data_vars="all")
        # By class and random order, which has no direction.
        random = of.random_accuracy.stack(curve=("seed", "class", "draw"))
        both = [random.transpose("curve", "step").values] * 2
        directed = of.accuracy.stack(curve=("seed", "class")).transpose(..., "curve", "step")
        for name in ["importance", *_others(of)]:
            each = directed.sel(ranking=name, direction=[_FIRST, _LAST]).values
            rows.append({**shown.head, "ranking": name, **_cells(*each)})
        rows.append({**shown.head, "ranking": "random", **_cells(*both)})
    return Table.of(
        "Cumulative ablation of single classes, means over classes and seeds: accuracy "
        "with the most important unit first; where the curve with the least important first "
        "peaks, and over how many units it falls from 90 % to 10 % of its peak (median of those "
        "that fall)",
        rows,
    )


def _cells(first: np.ndarray, last: np.ndarray) -> dict[str, str]:
    found = [ju.statistics.phase_transition(curve) for curve in last]
    widths = [each.width for each in found if each.width is not None]
    units = last.shape[1] - 1
    return {
        "mean accuracy, most important first": f"{first.mean():.1%}",
        "mean accuracy, least important first": f"{last.mean():.1%}",
        "peak": f"{np.mean([each.peak for each in found]):.1%}",
        "units ablated at it": f"{np.mean([each.peak_step for each in found]):.1f} of {units}",
        "fall over units": f"{np.median(widths):.0f}" if widths else "none falls",
        "curves that fall": f"{len(widths)} of {len(found)}",
    }


# The sweeps are for the page's summary.
experiment = Experiment(
    "phase_transition", _section, needs=(ablation, cumulative), paper="B", figures="3"
)
