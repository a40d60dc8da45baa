"""Every attribute of every paper against what ablation does, in one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float64
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FixedLocator, FuncFormatter

import jaxunits as ju

from ..agreement import NONE, Agreement, agreement
from ..experiment import Experiment
from ..figures import rendered
from ..findings import DISCOVERIES, attribute_label, counted
from ..measurements.ablation import ablation
from ..measurements.attributes import attributes
from ..runs import Panel, Run, Runs
from ..section import Figure, Section, Table
from ..settings import COUNT, Settings
from .scores import SIZE, Score, scores

TRUTHS = {
    "overall_accuracy_drop": "overall drop",
    "max_class_accuracy_drop": "max class drop",
    "class_accuracy_drop": "drops by class",
}
_MEASURED = """Spearman's r over the units of a layer, of every attribute with three truths: the
overall accuracy drop, the max class accuracy drop, and the accuracy drops of the classes, for
attributes that have a number for each class: r class by class, and its mean over classes. Positive
r means that units with more of the attribute do more damage. Intervals (95 %) are of {draws}
resamples of the units. Beside each r stands what is left of it given the units' mean activation
(that of the class, for drops by class): the correlation of what straight lines through its ranks
leave of the other ranks. An r is a discovery where it is beyond chance with 5 % false ones
expected, among all attributes, truths and layers of a network."""
_READING = """Attributes of other experiments stand here where these are asked for in the same call:
the concept alignment (concepts), the effectiveness of Zhao and Zhang 2021 (stability), RS under AM
and IAM (substitution), the greedy rank (greedy: how early a class's series takes the unit) and
Shapley values (shapley). Greedy ranks and Shapley values are made of ablations of the same images
as the truth, so that the noise of these images counts for them; Taylor, gradient and the class
attributes see the same images and their labels too."""


@dataclass(frozen=True)
class Rivals:
    """Every attribute against what ablation does."""

    draws: Annotated[int, COUNT] = 500
    """Resamples of the units, for intervals."""


class Cell(NamedTuple):
    """An attribute and a truth.

    Attributes:
      plain: how far they go with each other.
      given_size: the same given the units' mean activation.
      discovered: whether the first is beyond chance, among all of the network.
      discovered_given_size: whether the second is.
    """

    plain: Agreement
    given_size: Agreement
    discovered: bool = False
    discovered_given_size: bool = False


Cells = dict[tuple[str, str, str], Cell]


def _section(runs: Runs) -> Section:
    """A map of r, and a table of all numbers."""
    found = {run.name: cells(run, runs.config) for run in runs.every}
    panels = runs.panels("attributes")
    names = list(dict.fromkeys(name for of in found.values() for _, name, _ in of))
    draws = runs.config.of(Rivals).draws
    return Section(
        title="Every attribute against ablation",
        text=[_MEASURED.format(draws=draws), _READING],
        figures=[_figure(panels, names, found)],
        tables=[_table(runs, found), _costs(runs)],
        findings=[_found(runs, names, found, truth) for truth in TRUTHS],
    )


def cells(run: Run, config: Settings) -> Cells:
    """Every attribute with every truth, by layer, attribute and truth.

    Args:
      run: a network, its sweeps and attributes among what was measured.
      config: the options.
    """
    plain: Cells = {}
    for layer in run.kind("attributes"):
        every = scores(run, layer, config)
        size = next(score for score in every if score.name == SIZE)
        for score in every:
            for truth in TRUTHS:
                plain[layer, score.name, truth] = _cell(
                    score, run.sweeps[layer], size, truth, config.of(Rivals).draws
                )
    discovered = _beyond_chance([cell.plain.p for cell in plain.values()])
    given_size = _beyond_chance([cell.given_size.p for cell in plain.values()])
    return {
        key: Cell(cell.plain, cell.given_size, bool(one), bool(other))
        for (key, cell), one, other in zip(plain.items(), discovered, given_size, strict=True)
    }


def _beyond_chance(p: Sequence[float]) -> np.ndarray:
    return ju.statistics.false_discovery_rates(np.asarray(p)) <= DISCOVERIES


def _cell(score: Score, sweep: xr.Dataset, size: Score, truth: str, draws: int) -> Cell:
    drops = sweep[truth].transpose("unit", ...).values.astype(np.float64)
    if drops.ndim == 1:
        x, given, drops = score.of_unit[:, None], size.of_unit[:, None], drops[:, None]
    elif score.by_class is None:
        return Cell(NONE, NONE)
    else:
        x, given = score.by_class, _of_size(size)
    partial = NONE if score.name == SIZE else agreement(x, drops, given, draws=draws)
    return Cell(agreement(x, drops, draws=draws), partial)


def _of_size(size: Score) -> Float64[np.ndarray, "units classes"]:
    if size.by_class is None:
        raise ju.InputError("the attributes have no class means: measure them again (--overwrite)")
    return size.by_class


def _found(runs: Runs, names: Sequence[str], found: Mapping[str, Cells], truth: str) -> str:
    """Which attribute goes with a truth most, and how many are beyond chance."""
    of = [
        (name, cell)
        for each in found.values()
        for (_, name, kind), cell in each.items()
        if kind == truth and np.isfinite(cell.plain.r)
    ]
    if not of:
        return f"With the {TRUTHS[truth]} no attribute can be compared."
    mean = {
        name: float(np.mean([cell.plain.r for other, cell in of if other == name]))
        for name in names
        if any(other == name for other, _ in of)
    }
    best = max(mean, key=lambda name: abs(mean[name]))
    beyond = sum(cell.discovered for _, cell in of)
    after = sum(cell.discovered_given_size for _, cell in of)
    layers = counted(len({layer for each in found.values() for layer, _, _ in each}), "layer")
    networks = f" of {len(runs.every)} networks" if runs.several else ""
    return (
        f"With the {TRUTHS[truth]}, {attribute_label(best)} goes most of "
        f"{counted(len(mean), 'attribute')} "
        f"(mean r {mean[best]:+.2f} over {layers}{networks}); {beyond} of {len(of)} are beyond "
        f"chance, {after} given the units' mean activation."
    )


def _figure(panels: Sequence[Panel], names: Sequence[str], found: Mapping[str, Cells]) -> Figure:
    size = (max(0.22 * len(panels) * len(TRUTHS) + 3, 7), 0.24 * len(names) + 2)
    canvas = Canvas(figsize=size, layout="constrained")
    grid = canvas.subplots(1, len(TRUTHS), sharey=True, squeeze=False)[0]
    places = np.arange(len(panels)) + 0.5
    titles = [panel.title for panel in panels]
    for axes, (truth, label) in zip(grid, TRUTHS.items(), strict=True):
        r = np.array([[_mean(panel, name, truth, found) for panel in panels] for name in names])
        drawn = axes.pcolormesh(
            np.arange(len(panels) + 1),
            np.arange(len(names) + 1),
            np.ma.masked_invalid(r),
            cmap="PuOr_r",
            vmin=-1,
            vmax=1,
        )
        axes.set_title(label)
        axes.set_facecolor("0.85")
        axes.xaxis.set_major_locator(FixedLocator(places.tolist()))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda place, _: titles[int(place)]))
        axes.tick_params(axis="x", rotation=90)
    shown = [attribute_label(name) for name in names]
    grid[0].yaxis.set_major_locator(FixedLocator((np.arange(len(names)) + 0.5).tolist()))
    grid[0].yaxis.set_major_formatter(FuncFormatter(lambda place, _: shown[int(place)]))
    grid[0].invert_yaxis()
    canvas.colorbar(drawn, ax=list(grid), pad=0.02).set_label("Spearman's r", fontsize=7)
    seeds = ", means over seeds" if len(found) > 1 else ""
    return rendered(
        "rivals",
        canvas,
        "Spearman's r of every attribute with accuracy drops, layer by layer"
        f"{seeds}. Positive: more of the attribute, more damage. Gray: no number.",
    )


def _mean(panel: Panel, name: str, truth: str, found: Mapping[str, Cells]) -> float:
    """Over the networks of a configuration; NaN where there is none."""
    each = [found[run.name].get((panel.layer, name, truth)) for run in panel.runs]
    known = [cell.plain.r for cell in each if cell is not None and np.isfinite(cell.plain.r)]
    return float(np.mean(known)) if known else np.nan


def _table(runs: Runs, found: Mapping[str, Cells]) -> Table:
    rows: dict[tuple[str, str, str], dict[str, object]] = {}
    for run, each in zip(runs.every, found.values(), strict=True):
        head = {"network": run.name} if runs.several else {}
        for (layer, name, truth), cell in each.items():
            start: dict[str, object] = {**head, "layer": layer, "attribute": attribute_label(name)}
            row = rows.setdefault((run.name, layer, name), start)
            label = TRUTHS[truth]
            row[label] = _cell_text(cell.plain, cell.discovered)
            row[f"{label}, given size"] = _cell_text(cell.given_size, cell.discovered_given_size)
    return Table.of(
        "Spearman's r with its 95 % interval; ● beyond chance, 5 % false discoveries expected",
        rows.values(),
    )


def _cell_text(of: Agreement, discovered: bool) -> str:
    if not np.isfinite(of.r):
        return ""
    return f"{of.r:+.2f} [{of.low:+.2f}, {of.high:+.2f}]{' ●' if discovered else ''}"


def _costs(runs: Runs) -> Table:
    """What each attribute takes, of the first network's layers, and how long its kind took."""
    run, rows = runs.every[0], []
    for layer, sweep in run.sweeps.items():
        if layer not in run.kind("attributes"):
            continue
        units = sweep.sizes["unit"]
        rows.append(_cost(layer, "ablation, the truth", f"{units:,} behind the layer", sweep))
        for score in scores(run, layer, runs.config):
            measured = run.kind(score.kind)[layer]
            rows.append(_cost(layer, attribute_label(score.name), score.passes, measured))
    return Table.of(
        "What each attribute costs. Passes behind a layer take as much of the network as lies "
        "there; seconds are of the measurement that it came from, with all else that this gave",
        rows,
    )


def _cost(layer: str, name: str, passes: str, measured: xr.Dataset) -> dict[str, object]:
    seconds = measured.attrs.get("run_seconds")
    known = "" if seconds is None else f"{float(seconds):.1f}"
    return {"layer": layer, "attribute": name, "passes": passes, "seconds": known}


experiment = Experiment("rivals", _section, needs=(ablation, attributes), options=(Rivals,))
