"""What units detect: concepts that their maps coincide with (Zhou et al. 2018, figure 9)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

import jaxunits as ju

from ..experiment import Experiment
from ..figures import color_of, label_of, legend, rendered, tidy
from ..findings import foremost
from ..measurements.ablation import ablation
from ..measurements.concepts import concepts
from ..runs import Panel, Runs
from ..section import Figure, Section, Table

_MOST = 30
_LISTED = 10
_TEXT = """A unit's map, interpolated to the image, is cut at the value that only a small share of
all its positions exceeds, and compared with the places of each concept: IoU is their intersection
over their union, over all images together. A unit whose best IoU exceeds the limit is a detector of
that concept. Concepts computed from the images (quadrants, basic colors, orientations of edges)
stand in where no annotated images were named (--concepts.source)."""


def _section(runs: Runs) -> Section:
    """Detectors by concept, by category and the best of each layer."""
    panels = runs.panels("concepts")
    return Section(
        title="What units detect",
        text=[_TEXT],
        figures=[_figure(runs, panels)],
        tables=[_counts(panels), _best(panels)],
        findings=foremost(map(_found, panels), "most detectors"),
    )


def _found(panel: Panel) -> tuple[float, str]:
    """The mean share of detectors, and the sentence: of what, and which unit coincides best."""
    results = panel.results
    found = [ju.results.detectors_by_concept(result) for result in results]
    detectors = float(np.mean([int(each.sum()) for each in found]))
    unique = float(np.mean([each.size for each in found]))
    first = results[0].isel(unit=int(np.argmax(results[0].alignment.values)))
    units, limit = results[0].sizes["unit"], results[0].attrs["detector_iou"]
    mean = ", means over seeds" if len(results) > 1 else ""
    of = f"of {unique:.3g} concept{'' if unique == 1 else 's'}" if detectors else "of no concept"
    return detectors / units, (
        f"{panel.title}: {detectors:.3g} of {units} units are detectors, {of} (IoU above "
        f"{limit}{mean}); unit {int(first['unit'])} coincides best, with "
        f"{first.best_concept.values} (IoU {float(first.alignment):.2f})."
    )


def _figure(runs: Runs, panels: Sequence[Panel]) -> Figure:
    canvas = Canvas(figsize=(8, 2.9 * len(panels) + 0.4), layout="constrained")
    grid = canvas.subplots(len(panels), 1, squeeze=False, sharey=True)[:, 0]
    categories = list(dict.fromkeys(str(c) for c in panels[0].results[0].category.values))
    colors = {name: color_of(number) for number, name in enumerate(categories)}
    for axes, shown in zip(grid, panels, strict=True):
        found = [ju.results.detectors_by_concept(result) for result in shown.results]
        _draw_bars(axes, found, colors)
        unique = np.mean([each.size for each in found])
        detectors = np.mean([int(each.sum()) for each in found])
        axes.set_title(
            f"{shown.title}: {detectors:.3g} detectors of {unique:.3g} concepts, "
            f"{shown.results[0].sizes['unit']} units"
        )
    patches = [Patch(color=color, label=label_of(name)) for name, color in colors.items()]
    legend(canvas, columns=min(6, len(patches)), patches=patches)
    first = panels[0].results[0].attrs
    mean = " Means over seeds." if runs.several else ""
    return rendered(
        "concepts",
        canvas,
        f"Units by the concept that they detect best (IoU above {first['detector_iou']}, "
        f"convention {first['convention']}, {int(first['images']):,} images of {first['data']}), "
        f"colored by category.{mean} After Zhou et al. 2018, figure 9.",
    )


def _draw_bars(axes: Axes, found: Sequence[xr.DataArray], colors: dict[str, str]) -> None:
    """Mean detectors per concept, the most first."""
    total: dict[tuple[str, str], float] = {}
    for each in found:
        for concept, category, number in zip(
            each.concept.values, each.category.values, each.values, strict=True
        ):
            key = (str(concept), str(category))
            total[key] = total.get(key, 0) + int(number) / len(found)
    best = sorted(total.items(), key=lambda item: -item[1])[:_MOST]
    place = np.arange(len(best))
    axes.bar(
        place,
        [number for _, number in best],
        color=[colors.get(category, "0.5") for (_, category), _ in best],
        label=[label_of(category) for (_, category), _ in best],
    )
    axes.set_xlim(-0.6, max(len(best), _LISTED) - 0.4)
    axes.set_xticks(place, [concept for (concept, _), _ in best], rotation=60, ha="right")
    axes.set_ylabel("detectors (units)")
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=len(found) == 1))
    if not best:
        axes.text(0.5, 0.5, "no detectors", transform=axes.transAxes, ha="center", fontsize=9)
    tidy(axes)


def _counts(panels: Sequence[Panel]) -> Table:
    rows = []
    for panel in panels:
        found = [ju.results.detectors_by_category(result) for result in panel.results]
        mean = xr.concat(found, "seed", data_vars="all").mean("seed")
        for category in mean.category.values:
            of = mean.sel(category=category)
            rows.append(
                {
                    **panel.head,
                    "category": category,
                    "detectors": f"{float(of.detectors):.1f}",
                    "unique detectors": f"{float(of.unique_detectors):.1f}",
                }
            )
    return Table.of("Detectors, and concepts that have one, by category; means over seeds", rows)


def _best(panels: Sequence[Panel]) -> Table:
    rows = []
    for panel in panels:
        sweep, result = panel.runs[0].sweeps[panel.layer], panel.results[0]
        for unit in np.argsort(-result.alignment.values, kind="stable")[:_LISTED]:
            rows.append(
                {
                    **panel.head,
                    "unit": unit,
                    "concept": result.best_concept.values[unit],
                    "IoU": f"{float(result.alignment[unit]):.3f}",
                    "most damaged class": sweep.most_damaged_class.values[unit],
                    "its drop": f"{float(sweep.max_class_accuracy_drop[unit]):.1%}",
                }
            )
    caption = f"The {_LISTED} units of each layer that coincide best with a concept, first seed"
    return Table.of(caption, rows)


experiment = Experiment("concepts", _section, needs=(ablation, concepts), paper="A", figures="9")
