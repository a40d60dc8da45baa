"""The most damaging units, one by one (Zhou et al. 2018, figures 1 and 2)."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from ..drawing import all_drawn
from ..experiment import Experiment
from ..figures import DAMAGE, GAIN, POINTS, active_places, pictures, rendered, tidy
from ..findings import drop_with_interval, foremost, points
from ..measurements.ablation import ablation
from ..measurements.panels import panels
from ..runs import Run, Runs
from ..section import Figure, Section, unit_address

_COVERED = 0.25
_MOST_BARS = 40
# Units in the report, of all layers together: each is a large picture. The explorer shows all that
# have pictures.
_MOST_DRAWN = 36
# The height of a label, as a share of the width of a row of images.
_LABEL = 0.037
# The images, the drops and the images of classes in the figure: left, lower, width and height.
_PLACES = ((0.005, 0.03, 0.24, 0.83), (0.325, 0.13, 0.33, 0.77), (0.665, 0.03, 0.33, 0.83))
_READING = """Left: the images that activate the unit most, in descending order. What lies below the
unit's threshold is darkened, so that what it responds to stays bright. Middle: what every class
loses when the unit is ablated. Right: images of the classes that lose most. Where what the unit
responds to belongs to these classes, that explains the damage."""

_MORE = "The first {} units of each layer are drawn; explorer.html shows the others too."


def _section(runs: Runs) -> Section:
    """One panel per unit."""
    shown = [
        (run, layer, panels) for run in runs.every for layer, panels in run.kind("panels").items()
    ]
    most = max(1, _MOST_DRAWN // len(shown))
    units = [
        (run, layer, panels.sel(unit=unit))
        for run, layer, panels in shown
        for unit in panels.unit.values[:most].tolist()
    ]
    measured = max(panels.sizes["unit"] for _, _, panels in shown)
    found = [
        _found(f"{run.name}, {layer}" if runs.several else layer, run.sweeps[layer], panels)
        for run, layer, panels in shown
    ]
    return Section(
        title="The most damaging units",
        text=[_READING, _MORE.format(most)] if measured > most else [_READING],
        figures=all_drawn(lambda unit: _figure(runs, *unit), units),
        findings=foremost(found, "largest drops"),
    )


def _figure(runs: Runs, run: Run, layer: str, panel: xr.Dataset) -> Figure:
    unit = int(panel.unit)
    sweep = run.sweeps[layer].sel(unit=unit)
    name = f"unit_{run.seed}_{layer}_{unit}" if runs.several else f"unit_{layer}_{unit}"
    drawn = rendered(name, _draw(panel, sweep), _caption(layer, panel, sweep))
    address = unit_address(layer, unit, run.name if runs.several else "")
    return dataclasses.replace(drawn, unit=address)


def _found(title: str, sweep: xr.Dataset, panels: xr.Dataset) -> tuple[float, str]:
    """The layer's largest drop, and the sentence: what its most damaging unit costs."""
    unit = int(panels.unit[0])
    of = sweep.sel(unit=unit)
    name = str(of.most_damaged_class.values)
    return float(of.max_class_accuracy_drop), (
        f"{title}: without unit {unit} class {name} loses "
        f"{drop_with_interval(sweep, unit, name)}, all classes together "
        f"{points(float(of.overall_accuracy_drop))}."
    )


def _draw(panel: xr.Dataset, sweep: xr.Dataset) -> Canvas:
    # Placed by hand: finding a layout takes a fifth of the time, and here only names need room.
    canvas = Canvas(figsize=(11, 3.6))
    grids, middle = canvas.add_axes((0, 0, 1, 1)), canvas.add_axes(_PLACES[1])
    _draw_top_images(grids, panel)
    _draw_drops(middle, sweep)
    _leave_room_for_names(canvas, middle)
    _draw_samples(grids, panel, sweep)
    before, after = _accuracies(sweep)
    canvas.suptitle(
        f"{panel.attrs['layer']}, unit {int(panel.unit)}: "
        f"overall accuracy {before:.1%} before, {after:.1%} after",
        fontsize=10,
    )
    return canvas


def _accuracies(sweep: xr.Dataset) -> tuple[float, float]:
    """Overall accuracy before and after."""
    images = int(sweep.n_images.sum())
    return int(sweep.correct_before.sum()) / images, int(sweep.correct.sum()) / images


def _draw_top_images(axes: Axes, panel: xr.Dataset) -> None:
    images, threshold = panel.thumbnail.values, float(panel.threshold)
    columns = math.ceil(math.sqrt(len(images)))
    whole = np.full((math.ceil(len(images) / columns) * columns, *images.shape[1:]), 255, np.uint8)
    for rank, image in enumerate(images):
        active = active_places(panel.activation_map.values[rank], threshold, image.shape[:2])
        whole[rank] = np.where(active[..., None], image, image * _COVERED)
    grid = whole.reshape(-1, columns, *images.shape[1:])
    pictures(axes, grid, [], "top-activating images", _PLACES[0])


def _draw_drops(axes: Axes, sweep: xr.Dataset) -> None:
    """Class accuracy drops in descending order: bars of a few classes, a curve of many."""
    drops = 100 * sweep.class_accuracy_drop.dropna("class")
    order = np.argsort(-drops.values, kind="stable")
    values, names = drops.values[order], drops["class"].values[order]
    place = np.arange(len(values))
    if len(values) <= _MOST_BARS:
        axes.bar(place, values, color=np.where(values > 0, DAMAGE, GAIN))
        rotated = max(map(len, names)) > 2
        axes.set_xticks(place, names, rotation=90 if rotated else 0, fontsize=8)
        axes.set_xlabel("classes, sorted by drop")
    else:
        axes.plot(place + 1, values, color=DAMAGE, linewidth=1.5)
        axes.set_xlabel("number of classes, sorted by drop")
        listed = "\n".join(
            f"{name}  {value:.1f}" for name, value in zip(names[:5], values[:5], strict=True)
        )
        axes.text(0.97, 0.95, listed, transform=axes.transAxes, ha="right", va="top", fontsize=8)
    axes.axhline(0, color="0.6", linewidth=0.6)
    axes.set_ylabel(f"class {POINTS}")
    axes.yaxis.set_major_locator(MaxNLocator(5))
    tidy(axes)


def _leave_room_for_names(canvas: Canvas, axes: Axes) -> None:
    """Raise the lower side of the bars by what long names of classes take."""
    names = [tick for tick in axes.get_xticklabels() if tick.get_rotation()]
    if names:
        across, lower, width, height = _PLACES[1]
        longest = max(each.get_window_extent().height for each in names)
        room = min(longest / canvas.bbox.height, 0.6 * height)
        axes.set_position((across, lower + room, width, height - room))


def _draw_samples(axes: Axes, panel: xr.Dataset, sweep: xr.Dataset) -> None:
    """A row of images for each of the most damaged classes that lose anything."""
    names = panel.damaged_class.values.tolist()
    counts = sweep[["correct_before", "correct", "n_images"]].sel({"class": names})
    before, after = (counts[each] / counts.n_images for each in ("correct_before", "correct"))
    losing = (after < before).values
    labels = [
        [f"{name}: accuracy {had:.0%} → {has:.0%}"] if has < had else []
        for name, had, has in zip(names, before.values, after.values, strict=True)
    ]
    shown = panel.sampled.values & losing[:, None]
    images = np.where(shown[..., None, None, None], panel.sample.values, 255).astype(np.uint8)
    # The more images, the smaller they are, and the labels are not.
    room, title = _LABEL * images.shape[1], "images of the most damaged classes"
    pictures(axes, images, labels, title, _PLACES[2], room=room)


def _caption(layer: str, panel: xr.Dataset, sweep: xr.Dataset) -> str:
    before, after = _accuracies(sweep)
    name = str(sweep.most_damaged_class.values)
    return (
        f"{layer}, unit {int(panel.unit)}. Ablating it moves overall accuracy from {before:.2%} to "
        f"{after:.2%}; class {name} loses {float(sweep.max_class_accuracy_drop):.1%}. Bright: "
        f"activation above {float(panel.threshold):.3g}, the largest "
        f"{float(panel.attrs['panels.quantile']):.1%} of all positions. After Zhou et al. 2018, "
        "figures 1 and 2."
    )


experiment = Experiment(
    "unit_panels", _section, needs=(ablation, panels), paper="A", figures="1, 2", groups=()
)
