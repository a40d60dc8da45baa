"""Cumulative ablation by importance, and its phase transition (paper B, figure 3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

import jaxunits as ju

from ..experiment import Experiment
from ..figures import CHANCE, OVERALL, colour_of, legend, panel, rendered
from ..measurements.ablation import ablation
from ..measurements.cumulative import cumulative
from ..measurements.topology import Topology
from ..runs import Run, Runs
from ..section import Figure, Section, Table

_FIRST, _LAST = "most important first", "least important first"
_MEASURED = """The units of a layer are ablated one after another, and the accuracy and loss of a
class are measured on its held-out images. Orders come from training images of that class: the
importance rank of the feature topology (effectiveness: the selective rate over the feature
entropy), and beside it the L1 norm, APoZ (fewest zeros first), the class selectivity, the Taylor
estimate of the loss, and random orders (mean of {draws}; the band is one standard deviation).
Greedy ablation, chosen on training images too, is close to the fastest that a class can be lost;
it is there for the class that is shown alone."""
_READING = """With the least important unit first, accuracy that holds or even rises until few units
are left and then falls within few more is what paper B calls a phase transition. Whether it tells
anything of the importance rank is seen from the other rankings: a later and higher peak than that
of random orders means that the units left are those that carry the class. With every unit ablated
the network answers all images alike; the class that it then names keeps its accuracy and has no
fall."""

_FOUND = """As found, over {curves} curves, of a class of a network each: with the least important
unit first the importance rank keeps a higher mean accuracy than {others}."""


def _section(runs: Runs) -> Section:
    """Curves of one class and of the average over classes; a table of peaks and falls."""
    panels = runs.panels("cumulative")
    draws = panels[0][2][0].kind("cumulative")[panels[0][1]].sizes["draw"]
    return Section(
        title="Cumulative ablation and the phase transition",
        text=[_MEASURED.format(draws=draws), _READING, _found(panels)],
        figures=[
            figure
            for name, layer, members in panels
            for figure in _figures(runs, name, layer, members)
        ],
        tables=[_table(panels)],
    )


def _found(panels: Sequence[tuple[str, str, Sequence[Run]]]) -> str:
    """How often the importance rank keeps a class longer than the other rankings do."""
    each = [run.kind("cumulative")[layer] for _, layer, members in panels for run in members]
    # Layers differ in how many steps they have: means of each curve first.
    kept = {
        name: np.concatenate([_of_ranking([curves], name)[1].mean(1) for curves in each])
        for name in ["importance", *_others(each[0])]
    }
    own = kept.pop("importance")
    random = np.concatenate([curves.random_accuracy.mean(["draw", "step"]) for curves in each])
    longer = [
        f"{name} in {int((own > mean).sum())}"
        for name, mean in {"random orders": random, **kept}.items()
    ]
    return _FOUND.format(curves=len(own), others=", than ".join(longer))


def _figures(runs: Runs, name: str, layer: str, members: Sequence[Run]) -> list[Figure]:
    each = [run.kind("cumulative")[layer] for run in members]
    shown = runs.config.of(Topology).shown([str(value) for value in each[0]["class"].values])
    place = runs.place(name, layer)
    stem = f"phase_transition_{name}_{layer}" if runs.several else f"phase_transition_{layer}"
    classes = each[0].sizes["class"]
    averaged = f"{classes} classes" + (f" and {len(each)} seeds" if len(each) > 1 else "")
    return [
        rendered(
            stem,
            _draw(each, shown),
            f"{place}: accuracy and loss along cumulative ablation, the most important unit first "
            f"and the least important first; upper two rows class {shown} "
            f"({members[0].seed}), lower two the mean over {averaged}. After paper B, "
            "figure 3.",
        )
    ]


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
            row[0].set_ylabel(f"class {kind} ({unit})", fontsize=8)
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
    axes.fill_between(step, low, high, color=CHANCE, alpha=0.3, linewidth=0)
    axes.plot(step, mean, color=CHANCE, linewidth=1.5, label="random")
    for number, name in enumerate(_others(curves)):
        values = scale * curves[kind].sel(ranking=name, direction=direction).values
        axes.plot(step, values, color=colour_of(number + 1), linewidth=1.2, label=name)
    bound = scale * curves[f"greedy_{kind}"].values
    if direction == _FIRST and np.isfinite(bound).all():
        axes.plot(step, bound, color=OVERALL, linewidth=1.2, linestyle=":", label="greedy")
    values = scale * curves[kind].sel(ranking="importance", direction=direction).values
    axes.plot(step, values, color=colour_of(0), linewidth=2.2, label="importance")


def _others(curves: xr.Dataset) -> list[str]:
    return [str(name) for name in curves.ranking.values if name != "importance"]


def _table(panels: Sequence[tuple[str, str, Sequence[Run]]]) -> Table:
    rows = []
    for name, layer, members in panels:
        each = [run.kind("cumulative")[layer] for run in members]
        for ranking in ["importance", *_others(each[0])]:
            rows.append((name, layer, ranking, *_cells(*_of_ranking(each, ranking))))
        rows.append((name, layer, "random", *_cells(*_of_random(each))))
    return Table(
        caption="Cumulative ablation of single classes, means over classes and seeds: accuracy "
        "with the most important unit first; where the curve with the least important first "
        "peaks, and over how many units it falls from 90 % to 10 % of its peak (median of those "
        "that fall)",
        columns=(
            *("network", "layer", "ranking", "mean accuracy, most important first"),
            *("mean accuracy, least important first", "peak", "units ablated at it"),
            *("fall over units", "curves that fall"),
        ),
        rows=rows,
    )


def _of_ranking(each: Sequence[xr.Dataset], ranking: str) -> tuple[np.ndarray, np.ndarray]:
    """Curves of every seed and class in both directions."""
    first, last = (
        np.concatenate(
            [
                curves.accuracy.sel(ranking=ranking, direction=direction)
                .transpose("class", "step")
                .values
                for curves in each
            ]
        )
        for direction in (_FIRST, _LAST)
    )
    return first, last


def _of_random(each: Sequence[xr.Dataset]) -> tuple[np.ndarray, np.ndarray]:
    """Curves of every seed, class and random order, which has no direction."""
    curves = np.concatenate(
        [
            found.random_accuracy.transpose("class", "draw", "step").values.reshape(
                -1, found.sizes["step"]
            )
            for found in each
        ]
    )
    return curves, curves


def _cells(first: np.ndarray, last: np.ndarray) -> tuple[str, ...]:
    found = [ju.statistics.phase_transition(curve) for curve in last]
    widths = [each.width for each in found if each.width is not None]
    return (
        f"{first.mean():.1%}",
        f"{last.mean():.1%}",
        f"{np.mean([each.peak for each in found]):.1%}",
        f"{np.mean([each.peak_step for each in found]):.1f} of {last.shape[1] - 1}",
        f"{np.median(widths):.0f}" if widths else "none falls",
        f"{len(widths)} of {len(found)}",
    )


experiment = Experiment(
    "phase_transition",
    _section,
    # The sweeps are for the page's summary.
    needs=(ablation, cumulative),
    paper="B",
    figures="3",
    groups=("paper_b",),
)
