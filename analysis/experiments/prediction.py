"""Can the class that a unit serves be read from its attributes? Paper A, table 1 and figure 6."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

import jaxunits as ju

from ..experiment import Experiment
from ..figures import CHANCE, GAIN, OVERALL, rendered, tidy
from ..measurements.ablation import ablation
from ..measurements.attributes import attributes
from ..runs import Run, Runs
from ..section import Section, Table
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
differ in their seeds alone, for every way of choosing them. The ensemble averages the predicted
probabilities. Chance picks a class at random; majority always picks the class most frequent among
the units that were fitted."""
_TOO_FEW = """This needs more networks that differ in their seeds alone than are fitted on
(--prediction.fitted-on): train a study with several seeds."""


@dataclass(frozen=True)
class Prediction:
    """Prediction of the class that a unit's ablation damages most."""

    fitted_on: Annotated[int, COUNT] = 3
    """Networks to fit on, of those that differ in their seeds alone; the others are tested."""
    minimum_drop: Annotated[float | None, ju.Range()] = None
    """Units with a smaller max class accuracy drop are left out."""


def _section(runs: Runs) -> Section:
    """Accuracies by attribute, and examples."""
    fitted_on = runs.config.of(Prediction).fitted_on
    panels = [
        (name, layer, _predicted(members, layer, runs))
        for name, layer, members in runs.panels("attributes")
        if len(members) > fitted_on
    ]
    title = "Which class does a unit serve?"
    if not panels:
        return Section(title=title, text=[_TEXT, _TOO_FEW])
    return Section(
        title=title,
        text=[_TEXT],
        figures=[rendered("prediction", _draw(panels), _caption(fitted_on))],
        tables=[_table(panels), _examples(panels)],
    )


def _predicted(members: Sequence[Run], layer: str, runs: Runs) -> xr.Dataset:
    attributes, features = [], list(_VECTORS)
    for run in members:
        concepts = run.results.get("concepts", {}).get(layer)
        dataset = run.kind("attributes")[layer]
        attributes.append(dataset if concepts is None else dataset.assign(iou=concepts.iou))
    if all("iou" in each for each in attributes):
        features.append("iou")
    settings = runs.config.of(Prediction)
    return ju.statistics.predict_damaged_class(
        attributes,
        [run.sweeps[layer] for run in members],
        features=features,
        fitted_on=settings.fitted_on,
        minimum_drop=settings.minimum_drop,
    )


def _draw(panels: Sequence[tuple[str, str, xr.Dataset]]) -> Canvas:
    columns = min(4, len(panels))
    rows = -(-len(panels) // columns)
    canvas = Canvas(figsize=(2.5 * columns + 0.8, 2.9 * rows + 0.3), layout="constrained")
    grid = canvas.subplots(rows, columns, sharey=True, squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.remove()
    for axes, (name, layer, found) in zip(grid.flat, panels, strict=False):
        _draw_panel(axes, found)
        axes.set_title(f"{name}\n{layer}", fontsize=9)
    for axes in grid[:, 0]:
        axes.set_ylabel("accuracy (% of units)", fontsize=8)
    handles, labels = grid.flat[0].get_legend_handles_labels()
    canvas.legend(handles, labels, loc="outside upper center", ncols=2, fontsize=8, frameon=False)
    return canvas


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


def _caption(fitted_on: int) -> str:
    return (
        f"Share of units whose most damaged class is predicted, fitted on {fitted_on} networks and "
        "tested on the others; bars are means, error bars standard deviations over the ways of "
        "choosing them. After paper A, table 1."
    )


def _table(panels: Sequence[tuple[str, str, xr.Dataset]]) -> Table:
    features = list(dict.fromkeys(str(f) for *_, found in panels for f in found.feature.values))
    rows = []
    for name, layer, found in panels:
        cells = []
        for feature in features:
            known = feature in found.feature
            row = found.accuracy.sel(feature=feature) if known else None
            cells.append("" if row is None else f"{float(row.mean()):.1%} ± {float(row.std()):.1%}")
        rows.append(
            (
                name,
                layer,
                *cells,
                f"{float(found.majority.mean()):.1%}",
                f"{float(found.chance):.1%}",
            )
        )
    return Table(
        caption="Accuracy of predicting the most damaged class",
        columns=(
            *("configuration", "layer"),
            *(_NAMES.get(feature, feature) for feature in features),
            *("majority class", "chance"),
        ),
        rows=rows,
    )


def _examples(panels: Sequence[tuple[str, str, xr.Dataset]]) -> Table:
    """Units of the last layer in even steps of the ensemble's confidence."""
    name, layer, found = panels[-1]
    confidence = found.probability.max("class").values
    order = np.argsort(-confidence, axis=None, kind="stable")
    chosen = order[np.linspace(0, len(order) - 1, min(_EXAMPLES, len(order))).astype(int)]
    rows = []
    for place in chosen:
        network, unit = np.unravel_index(place, confidence.shape)
        row = found.isel(network=int(network), unit=int(unit))
        best = np.argsort(-row.probability.values)[:3]
        listed = [f"{row['class'].values[k]} ({float(row.probability[k]):.0%})" for k in best]
        rows.append((f"{network}", f"{int(unit)}", str(row.label.values), ", ".join(listed)))
    return Table(
        caption=f"Examples from {name}, {layer}: the ensemble's first three classes, units in even "
        "steps from the surest to the least sure",
        columns=("network", "unit", "most damaged class", "predicted"),
        rows=rows,
    )


experiment = Experiment(
    "prediction",
    _section,
    needs=(ablation, attributes),
    options=(Prediction,),
    paper="A",
    figures="6, table 1",
    groups=("paper_a",),
)
