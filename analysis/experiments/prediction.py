"""Can the class that a unit serves be read from its attributes?

Zhou et al. 2018, table 1 and figure 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

import jaxunits as ju

from ..experiment import Experiment
from ..figures import CHANCE, GAIN, OVERALL, legend, panels_of, rendered, tidy
from ..findings import foremost
from ..measurements.ablation import ablation
from ..measurements.attributes import attributes
from ..runs import Panel, Runs
from ..section import Figure, Section, Table
from ..settings import COUNT

_EXAMPLES = 8
_VECTORS = ("class_correlation_by_class", "class_selectivity_by_class")
_NAMES = {
    "class_correlation_by_class": "class correlation",
    "class_selectivity_by_class": "class selectivity",
    "iou": "concept alignment",
}
_TEXT = """A unit's label is the class that loses most accuracy when it is ablated. A multinomial
logistic regression is fitted to the units of some networks and tested on the units of others that
differ only in their seeds, for every way of choosing them. The ensemble averages the predicted
probabilities. Chance picks a class at random; majority always picks the class most frequent among
the units that were fitted."""
_TOO_FEW = """This needs more networks that differ only in their seeds than are fitted on
(--prediction.fitted-on): train a study with several seeds."""


@dataclass(frozen=True)
class Prediction:
    """Prediction of the class that a unit's ablation damages most."""

    fitted_on: Annotated[int, COUNT] = 3
    """Networks to fit on, of those that differ only in their seeds; the others are tested on."""
    minimum_drop: Annotated[float | None, ju.Range()] = None
    """Units with a smaller max class accuracy drop are left out."""


def _section(runs: Runs) -> Section:
    """Accuracies by attribute, and examples."""
    fitted_on = runs.config.of(Prediction).fitted_on
    panels = [
        (panel, _predicted(panel, runs))
        for panel in runs.panels("attributes")
        if len(panel.runs) > fitted_on
    ]
    title = "Which class does a unit serve?"
    if not panels:
        return Section(title=title, text=[_TEXT], findings=[_TOO_FEW])
    return Section(
        title=title,
        text=[_TEXT],
        figures=[_figure(panels, fitted_on)],
        tables=[_table(panels), _examples(panels)],
        findings=foremost((_sentence(of.title, found) for of, found in panels), "best predictions"),
    )


def _sentence(title: str, found: xr.Dataset) -> tuple[float, str]:
    """How much better than the majority the ensemble is, and the sentence."""
    of = found.accuracy.sel(feature="ensemble")
    accuracy, majority = float(of.mean()), float(found.majority.mean())
    if np.isnan(accuracy):
        return accuracy, f"{title}: units damage too few different classes to predict which."
    return accuracy - majority, (
        f"{title}: the ensemble predicts the most damaged class of {accuracy:.0%} ± "
        f"{float(of.std()):.0%} of units; always naming the majority class is right for "
        f"{majority:.0%}, chance for {float(found.chance):.0%}."
    )


def _predicted(panel: Panel, runs: Runs) -> xr.Dataset:
    each, features = [], list(_VECTORS)
    for run, dataset in panel.each:
        concepts = run.results.get("concepts", {}).get(panel.layer)
        each.append(dataset if concepts is None else dataset.assign(iou=concepts.iou))
    if all("iou" in dataset for dataset in each):
        features.append("iou")
    settings = runs.config.of(Prediction)
    return ju.statistics.predict_damaged_class(
        each,
        [run.sweeps[panel.layer] for run in panel.runs],
        features=features,
        fitted_on=settings.fitted_on,
        minimum_drop=settings.minimum_drop,
    )


def _figure(panels: Sequence[tuple[Panel, xr.Dataset]], fitted_on: int) -> Figure:
    canvas, grid = panels_of(
        len(panels), 4, (2.5, 2.9), around=(0.8, 0.3), label="accuracy (% of units)", sharey=True
    )
    for axes, (panel, found) in zip(grid, panels, strict=True):
        _draw_panel(axes, found)
        axes.set_title(f"{panel.configuration}\n{panel.layer}", fontsize=9)
    legend(canvas, grid[0], columns=2)
    return rendered(
        "prediction",
        canvas,
        f"Share of units whose most damaged class is predicted, fitted on {fitted_on} networks and "
        "tested on the others; bars are means, error bars standard deviations over the ways of "
        "choosing them. After Zhou et al. 2018, table 1.",
    )


def _draw_panel(axes: Axes, found: xr.Dataset) -> None:
    accuracy = 100 * found.accuracy
    names = [_NAMES.get(str(name), str(name)) for name in found.feature.values]
    axes.bar(
        np.arange(len(names)),
        accuracy.mean("split").values,
        yerr=accuracy.std("split").values,
        color=GAIN,
        error_kw={"elinewidth": 1, "capsize": 2},
    )
    majority, chance = 100 * float(found.majority.mean()), 100 * float(found.chance)
    axes.axhline(majority, color=OVERALL, linewidth=1, linestyle="--", label="majority class")
    axes.axhline(chance, color=CHANCE, linewidth=1, linestyle=":", label="chance")
    axes.set_xticks(np.arange(len(names)), [name.replace(" ", "\n") for name in names])
    tidy(axes)
    axes.tick_params(axis="x", labelsize=7)


def _table(panels: Sequence[tuple[Panel, xr.Dataset]]) -> Table:
    rows = []
    for panel, found in panels:
        accuracies = found.accuracy.transpose("feature", ...)
        cells = {
            _NAMES.get(str(name), str(name)): f"{float(of.mean()):.1%} ± {float(of.std()):.1%}"
            for name, of in zip(found.feature.values, accuracies, strict=True)
        }
        rows.append(
            {
                "configuration": panel.configuration,
                "layer": panel.layer,
                "majority class": f"{float(found.majority.mean()):.1%}",
                "chance": f"{float(found.chance):.1%}",
                **cells,
            }
        )
    return Table.of("Accuracy of predicting the most damaged class", rows)


def _examples(panels: Sequence[tuple[Panel, xr.Dataset]]) -> Table:
    """Units of the last layer in even steps of the ensemble's confidence."""
    panel, found = panels[-1]
    confidence = found.probability.max("class").values
    order = np.argsort(-confidence, axis=None, kind="stable")
    chosen = order[np.linspace(0, len(order) - 1, min(_EXAMPLES, len(order))).astype(int)]
    rows = []
    for place in chosen:
        network, unit = np.unravel_index(place, confidence.shape)
        row = found.isel(network=int(network), unit=int(unit))
        best = np.argsort(-row.probability.values)[:3]
        listed = [f"{row['class'].values[k]} ({float(row.probability[k]):.0%})" for k in best]
        of = {"network": network, "unit": unit, "most damaged class": row.label.values}
        rows.append({**of, "predicted": ", ".join(listed)})
    return Table.of(
        f"Examples from {panel.configuration}, {panel.layer}: the ensemble's first three classes, "
        "units in even steps from the surest to the least sure",
        rows,
    )


experiment = Experiment(
    "prediction",
    _section,
    needs=(ablation, attributes),
    options=(Prediction,),
    paper="A",
    figures="6, table 1",
)
