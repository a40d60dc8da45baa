"""Birth points, how they are computed, and how they change in training.

Zhao and Zhang 2021, figure 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

import jaxunits as ju

from ..experiment import Experiment
from ..figures import DAMAGE, GAIN, band, color_of, legend, rendered, tidy
from ..findings import foremost
from ..measurements.births import births, births_of
from ..measurements.maps import maps
from ..measurements.topology import Topology
from ..measurements.training_births import training_births
from ..runs import Panel, Run, Runs
from ..section import Figure, Section, Table
from .flow import draw_flow

_MEASURED = """A unit's map is read as a weighted graph: its rows, which are its columns too, are
the vertices, and the edges enter from the largest value on. The birth point is the rank at which
the clique complex of the edges has its first hole. The selective rate is the share of a class's
images with a birth point, the feature entropy the entropy of the birth points over them, and the
effectiveness the selective rate over the entropy (0 below a selective rate of p)."""
_TRAINING = """Zhao and Zhang 2021 find that feature entropy falls in training as the loss does,
that the birth points of all units gather, and that selective rate and effectiveness fall. Below,
the birth points of all units on the training images of one class at every checkpoint that was kept,
and their means over units with the quartiles, beside the loss."""
_FOUND = (
    "From the first checkpoint to the last the mean feature entropy falls in {fell} of {networks} "
    "courses of training, one per layer and network, the mean selective rate in {rate} and the "
    "mean effectiveness in {effect}."
)
_LABELS = {
    "entropy": "feature entropy (nats)",
    "rate": "selective rate (%)",
    "effectiveness": "effectiveness (1/nats)",
}
_KEPT = """Only the last checkpoints were kept: train with --checkpoints.keep all to follow the
whole training."""


def _section(runs: Runs) -> Section:
    """The calculation for one unit, and the course of training of every configuration."""
    layers, first, panels = runs.layers("births"), runs.every[0], runs.panels("training")
    flows = [_flow(first, layer) for layer in layers if layer in first.kind("maps")]
    kept = min(panel.results[0].sizes["epoch"] for panel in panels)
    figures = [
        _training(runs, layer, [panel for panel in panels if panel.layer == layer])
        for layer in layers
    ]
    return Section(
        title="Feature topology and its entropy",
        text=[_MEASURED, _TRAINING, *([_KEPT] if kept < 3 else [])],
        figures=[*flows, *figures],
        tables=[_table(runs), _course(runs, panels)],
        findings=[
            *foremost(
                (_means(panel, runs.config.of(Topology)) for panel in runs.panels("births")),
                "highest mean effectiveness",
            ),
            _found(runs, panels),
        ],
    )


def _means(panel: Panel, topology: Topology) -> tuple[float, str]:
    """A layer's mean effectiveness, and the sentence: its means over networks."""
    each = [_means_of(result, topology) for result in panel.results]
    rate, entropy, effectiveness = (
        float(np.mean([of[name].mean() for of in each]))
        for name in ("rate", "entropy", "effectiveness")
    )
    return effectiveness, (
        f"{panel.title}: {rate:.1%} of maps have a birth point; the mean feature entropy of a unit "
        f"is {entropy:.3f} nats, its mean effectiveness {effectiveness:.3f} per nat."
    )


def _means_of(result: xr.Dataset, topology: Topology) -> dict[str, np.ndarray]:
    """What a network's birth points say, by class and unit."""
    classes = dict.fromkeys(result["class"].values.tolist())
    births = [births_of(result, each).values for each in classes]
    return {
        "rate": np.stack([ju.topology.selective_rate(each) for each in births]),
        "entropy": np.stack([ju.topology.feature_entropy(each) for each in births]),
        "effectiveness": np.stack([topology.effectiveness(each) for each in births]),
    }


def _found(runs: Runs, panels: Sequence[Panel]) -> str:
    """In how many networks (and layers) the means fall during training."""
    courses = [
        _course_of(found, runs.config.of(Topology)) for panel in panels for found in panel.results
    ]
    means = ([course[f"{key}_mean"].values for course in courses] for key in _LABELS)
    entropy, rate, effect = (sum(mean[-1] < mean[0] for mean in each) for each in means)
    return _FOUND.format(fell=entropy, networks=len(courses), rate=rate, effect=effect)


def _flow(run: Run, layer: str) -> Figure:
    """From a unit's map of an image to its birth points on all images of the class."""
    found = run.kind("maps")[layer]
    births = births_of(run.kind("births")[layer], str(found.attrs["class"]))
    return rendered(
        f"topology_flow_{layer}",
        draw_flow(found, births.isel(unit=int(found.attrs["unit"])).values),
        f"From an image to a histogram, for the most effective unit of {layer}: the image, the "
        "unit's map, its top sets and their graphs at three ranks, its Betti number at every rank "
        "and the birth points over the images of the class. After Zhao and Zhang 2021, figure 2A.",
    )


def _training(runs: Runs, layer: str, panels: Sequence[Panel]) -> Figure:
    """The course of training, a row a configuration."""
    canvas = Canvas(figsize=(12.4, 2.3 * len(panels) + 0.6), layout="constrained")
    grid = canvas.subplots(len(panels), 5, squeeze=False)
    for row, panel in zip(grid, panels, strict=True):
        _draw_histograms(canvas, row[0], panel.results[0])
        courses = [_course_of(found, runs.config.of(Topology)) for found in panel.results]
        mean = xr.concat(courses, "seed", data_vars="all").mean("seed")
        for number, (variable, label) in enumerate(_LABELS.items()):
            _draw_course(row[number + 1], mean, variable, label, color_of(number))
        _draw_loss(row[4], mean)
        row[2].set_ylim(0, 102)
        for axes in row:
            axes.set_title(panel.configuration if runs.several else panel.layer, fontsize=8)
            axes.set_xlabel("epochs")
        for axes in row[1:]:
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    legend(canvas, grid[0, 4])
    found = runs.every[0].kind("training")[layer]
    seeds = " Histograms are of the first seed, curves are means over seeds."
    return rendered(
        f"topology_training_{layer}",
        canvas,
        f"Training, seen on {found.sizes['image']} training images of class "
        f"{found.attrs['class']}, by configuration: birth points of all units, feature entropy, "
        "selective rate and effectiveness (means over units, with the quartiles), and the loss."
        f"{seeds if runs.several else ''} After Zhao and Zhang 2021, figures 2B to 2D.",
    )


def _draw_histograms(canvas: Canvas, axes: Axes, found: xr.Dataset) -> None:
    """Birth points of all units, a column a checkpoint."""
    births = found.birth_point.values
    last = max(int(births.max()), 2)
    shares = np.stack(
        [np.bincount(each[each > 0], minlength=last + 1)[1:] for each in births], axis=1
    ) / np.maximum((births > 0).sum((1, 2)), 1)
    epochs = found.epoch.values
    drawn = axes.pcolormesh(
        np.arange(len(epochs) + 1), np.arange(last + 1) + 0.5, 100 * shares, cmap="viridis"
    )
    places = np.unique(np.linspace(0, len(epochs) - 1, min(6, len(epochs))).astype(int))
    axes.set_ylabel("birth point (rank)")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    bar = canvas.colorbar(drawn, ax=axes, pad=0.02)
    bar.set_label("share of maps (%)", fontsize=7)
    bar.ax.tick_params(labelsize=7)
    # Of all columns, so that each is known by its epoch; only some have a tick.
    axes.xaxis.set_major_locator(FixedLocator((places + 0.5).tolist()))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda place, _: str(epochs[int(place)])))


def _draw_course(axes: Axes, mean: xr.Dataset, variable: str, label: str, color: str) -> None:
    scale = 100 if variable == "rate" else 1
    low, middle, high = (
        scale * mean[f"{variable}_{part}"].values for part in ("low", "mean", "high")
    )
    band(axes, mean.epoch, (low, middle, high), color=color, marker="o", markersize=2.5)
    axes.set_ylabel(label)
    tidy(axes)


def _draw_loss(axes: Axes, mean: xr.Dataset) -> None:
    for name, label, color, style in (
        ("train_loss", "training loss", DAMAGE, "-"),
        ("validation_loss", "validation loss", GAIN, "--"),
    ):
        look: Any = {"color": color, "linestyle": style, "marker": "o", "markersize": 2.5}
        axes.plot(mean.epoch, mean[name], label=label, **look)
    axes.set_ylabel("loss (nats)")
    axes.set_ylim(bottom=0)
    tidy(axes)


def _course_of(found: xr.Dataset, topology: Topology) -> xr.Dataset:
    """Means and quartiles over units at every checkpoint, and the losses."""
    each = [births.values for births in found.birth_point]
    values = {
        "entropy": [ju.topology.feature_entropy(births) for births in each],
        "rate": [ju.topology.selective_rate(births) for births in each],
        "effectiveness": [topology.effectiveness(births) for births in each],
    }
    columns = {}
    for name, of_units in values.items():
        units = np.stack(of_units)
        columns[f"{name}_mean"] = units.mean(1)
        columns[f"{name}_low"], columns[f"{name}_high"] = np.quantile(units, [0.25, 0.75], axis=1)
    course = xr.Dataset({name: ("epoch", column) for name, column in columns.items()})
    return course.assign_coords(epoch=found.epoch.values).assign(
        {name: found[name] for name in ("train_loss", "validation_loss")}
    )


def _table(runs: Runs) -> Table:
    topology = runs.config.of(Topology)
    rows = []
    for panel in runs.panels("births"):
        for run, result in panel.each:
            of = _means_of(result, topology)
            rows.append(
                {
                    **panel.head_of(run),
                    "classes": len(of["rate"]),
                    "units": result.sizes["unit"],
                    "maps": f"{result.attrs['vertices']}×{result.attrs['vertices']}",
                    "selective rate": f"{of['rate'].mean():.1%}",
                    "feature entropy, nats": f"{of['entropy'].mean():.3f}",
                    "effectiveness, 1/nats": f"{of['effectiveness'].mean():.3f}",
                    "effectiveness 0": f"{(of['effectiveness'] == 0).mean():.1%}",
                }
            )
    return Table.of("Feature topology of the trained networks, means over units and classes", rows)


def _course(runs: Runs, panels: Sequence[Panel]) -> Table:
    shown = {
        "feature entropy, nats": "entropy_mean",
        "selective rate": "rate_mean",
        "effectiveness, 1/nats": "effectiveness_mean",
        "training loss, nats": "train_loss",
    }
    rows = []
    for panel in panels:
        for run, found in panel.each:
            course = _course_of(found, runs.config.of(Topology)).isel(epoch=[0, -1])
            row = panel.head_of(run)
            row["epochs"] = "{} → {}".format(*course.epoch.values)
            for column, name in shown.items():
                row[column] = "{:.3f} → {:.3f}".format(*course[name].values)
            rows.append(row)
    return Table.of("From the first checkpoint to the last, on one class", rows)


experiment = Experiment(
    "topology", _section, needs=(births, maps, training_births), paper="B", figures="2"
)
