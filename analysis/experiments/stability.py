"""Whether the importance rank depends on the images that are taken.

Zhao and Zhang 2021, figure 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

import jaxunits as ju

from ..experiment import Experiment
from ..figures import band, color_of, legend, look_of, panel, rendered, style_of, tidy
from ..findings import foremost, listed
from ..measurements.births import births, births_of
from ..measurements.samples import Stability, samples
from ..measurements.topology import Topology
from ..runs import Panel, Runs
from ..section import Figure, Section, Table
from ..settings import Settings

_TEXT = """Random subsets of a class's training images give an importance rank each. Left: the share
of subsets that have a unit among their first, by the units' places in the rank of all images (eq.
12, class {shown}): a step down at the dotted line would be a rank that no choice of images changes.
Right: the stability (eq. 14), the mean of that share over the units that are most often among the
first, counting 0 for those that are not among the first of all images; mean over classes, with the
range of the classes. Subsets come from the images that give the rank of all, so that stability
rises toward 1 with their size by construction; sizes above half of the images are left out. The
mean rank is that of the effectiveness averaged over the subsets."""
_CURVES = """Below, units are ablated by the ranks that different images give, the most important
first: Zhao and Zhang 2021 find hardly any difference between the ranks of a subset, of all training
images and of the subsets' mean, and a slower fall by the rank of held-out images."""


@dataclass(frozen=True)
class _Found:
    """What subsets of one size say about one class.

    Attributes:
      share: of subsets that have each unit among their first, by the rank of all images.
      ratio: eq. 14.
      chosen: the units that are most often among the first.
      among: how many of these are among the first of all images.
      correlation: Spearman's r of the subsets' mean effectiveness with that of all images.
    """

    share: np.ndarray
    ratio: float
    chosen: list[int]
    among: int
    correlation: float


_Sizes = dict[int, dict[str, _Found]]


def _section(runs: Runs) -> Section:
    """Top sets, stability by size, and a table of the units that subsets agree on."""
    panels, curves = runs.panels("births"), runs.panels("samples")
    found = [found_of(of.results[0], runs.config) for of in panels]
    classes = list(next(iter(found[0].values())))
    shown = runs.config.of(Topology).shown(classes)
    return Section(
        title="Stability of the importance rank",
        text=[_TEXT.format(shown=shown), _CURVES],
        figures=[
            _figure(runs, panels, found, shown),
            _curves_figure(runs, curves),
        ],
        tables=[_table(panels, found, runs.config, shown), _curves_table(curves)],
        findings=[
            *foremost(map(_sentence, (of.title for of in panels), found), "most stable ranks"),
            *foremost((_kept(of.title, of.results[0]) for of in curves), "largest differences"),
        ],
    )


def _sentence(title: str, sizes: _Sizes) -> tuple[float, str]:
    """The stability of the largest subsets, mean over classes, and the sentence."""
    size = max(sizes)
    ratios = {name: each.ratio for name, each in sizes[size].items()}
    mean, least = float(np.mean(list(ratios.values()))), min(ratios, key=lambda name: ratios[name])
    return mean, (
        f"{title}: with subsets of {size} images the stability of the importance rank is "
        f"{mean:.1%}, mean over classes; class {least} has the least, {ratios[least]:.1%}."
    )


def found_of(result: xr.Dataset, config: Settings) -> _Sizes:
    """What subsets of each size say about each class.

    Args:
      result: the birth points of a layer.
      config: the options of topology and stability.
    """
    names = [str(name) for name in dict.fromkeys(result["class"].values.tolist())]
    births = {name: births_of(result, name).values for name in names}
    least = min(map(len, births.values()))
    return {
        size: {name: _of_class(births[name], size, config) for name in names}
        for size in config.of(Stability).sizes_within(least)
    }


def _of_class(births: np.ndarray, size: int, config: Settings) -> _Found:
    topology = config.of(Topology)
    top, chosen, compared = config.of(Stability).of_layer(births.shape[1])
    subsets = ju.topology.random_subsets(
        len(births), size, num_subsets=config.of(Stability).subsets, seed=topology.seed
    )
    every = np.stack([topology.effectiveness(births[subset]) for subset in subsets])
    ranks = np.stack([ju.topology.importance_order(each) for each in every])
    whole = topology.effectiveness(births)
    reference = ju.topology.importance_order(whole)
    most = ju.topology.most_often_in_top(ranks, top=top, num_units=chosen)
    return _Found(
        share=ju.topology.times_in_top(ranks, top=top)[reference] / len(ranks),
        ratio=ju.topology.stability_ratio(
            ranks, reference, top=top, num_units=compared, reference_top=chosen
        ),
        chosen=most.tolist(),
        among=int(np.isin(most, reference[:chosen]).sum()),
        correlation=ju.statistics.spearman(every.mean(0), whole).r,
    )


def _figure(runs: Runs, panels: Sequence[Panel], found: Sequence[_Sizes], shown: str) -> Figure:
    canvas = Canvas(figsize=(9.2, 2.6 * len(found) + 0.4), layout="constrained")
    grid = canvas.subplots(len(found), 2, squeeze=False, sharey="col")
    for (left, right), of, sizes in zip(grid, panels, found, strict=True):
        _draw_shares(left, sizes, runs.config, shown)
        _draw_ratios(right, sizes)
        left.set_title(f"{of.title}: class {shown}", fontsize=9)
        right.set_title(f"{of.title}: all classes", fontsize=9)
    legend(canvas, max(grid[:, 0], key=lambda axes: len(axes.get_legend_handles_labels()[1])))
    seed = " First seed of each configuration." if runs.several else ""
    return rendered(
        "stability",
        canvas,
        f"Importance ranks of {runs.config.of(Stability).subsets} random subsets of each size: how "
        "often units are among the first (left), and the stability of Zhao and Zhang 2021's eq. "
        f"14 (right). {seed} After Zhao and Zhang 2021, figures 4C and 4D.",
    )


def _draw_shares(axes: Axes, sizes: _Sizes, config: Settings, shown: str) -> None:
    for number, (size, classes) in enumerate(sizes.items()):
        share = 100 * classes[shown].share
        place, name = np.arange(1, len(share) + 1), f"{size} images"
        axes.plot(place, share, label=name, linewidth=1.3, **look_of(number))
    top, _, _ = config.of(Stability).of_layer(len(share))
    axes.axvline(top + 0.5, color="0.5", linewidth=1, linestyle=":")
    axes.set_xlabel("units, by the rank of all images")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel(f"subsets with the unit\namong their first {top} (%)")
    tidy(axes)


def _draw_ratios(axes: Axes, sizes: _Sizes) -> None:
    ratios = 100 * np.array([[each.ratio for each in found.values()] for found in sizes.values()])
    places = list(sizes)
    curves = ratios.min(1), ratios.mean(1), ratios.max(1)
    band(axes, places, curves, color=color_of(1), marker="o", markersize=4)
    axes.set(xlabel="images per subset", ylabel="stability (%)", ylim=(0, 102))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    tidy(axes)


def _table(panels: Sequence[Panel], found: Sequence[_Sizes], config: Settings, shown: str) -> Table:
    rows = []
    for of, sizes in zip(panels, found, strict=True):
        for size, classes in sizes.items():
            one, every = classes[shown], list(classes.values())
            ratios = [each.ratio for each in every]
            correlation = np.nanmean([each.correlation for each in every])
            rows.append(
                {
                    **of.head,
                    "images per subset": size,
                    "stability, mean over classes": f"{np.mean(ratios):.1%}",
                    "smallest": f"{min(ratios):.1%}",
                    "Spearman's r of the mean effectiveness": f"{correlation:+.2f}",
                    "shared": f"{one.among} of {len(one.chosen)}",
                    "units": ", ".join(map(str, sorted(one.chosen))),
                }
            )
    return Table.of(
        "Subsets against all images; the last two columns are of class "
        f"{shown}: the units most often among the first, and how many of them are among those "
        "of all images",
        rows,
    )


def _curves_figure(runs: Runs, panels: Sequence[Panel]) -> Figure:
    """Accuracy of the shown class, a row a network and a column a sample."""
    canvas = Canvas(figsize=(9.2, 2.4 * len(panels) + 0.4), layout="constrained")
    grid = canvas.subplots(len(panels), 3, squeeze=False, sharey=True)
    for row, of in zip(grid, panels, strict=True):
        curves = of.results[0]
        for axes, sample in zip(row, curves["sample"].values, strict=True):
            _draw_curves(axes, curves.sel(sample=sample))
            panel(axes, f"{of.title}:\non {_images(curves, sample)}", "ablated units")
            axes.title.set_fontsize(9)
        row[0].set(ylabel="class accuracy (%)", ylim=(-2, 103))
    legend(canvas, grid[0, 0])
    shown = panels[0].results[0].attrs["class"]
    seed = " First seed of each configuration." if runs.several else ""
    return rendered(
        "stability_curves",
        canvas,
        f"Cumulative ablation of class {shown}, the most important unit first, by the importance "
        "ranks that different images of the class give; the columns are the images on which the "
        f"accuracy is measured.{seed} After Zhao and Zhang 2021, figures 4A and 4B.",
    )


def _curves_table(panels: Sequence[Panel]) -> Table:
    """Mean accuracy along each order."""
    rows = []
    for of in panels:
        curves = of.results[0]
        for sample in curves["sample"].values:
            means = 100 * curves.accuracy.sel(sample=sample).mean("step")
            cells = {_label(str(mean.ranking.values)): f"{float(mean):.1f} %" for mean in means}
            rows.append({**of.head, "measured on": _images(curves, sample), **cells})
    return Table.of(
        "Mean accuracy along cumulative ablation, by the importance rank (columns) and the "
        f"images it is measured on; class {panels[0].results[0].attrs['class']}",
        rows,
    )


def _kept(title: str, curves: xr.Dataset) -> tuple[float, str]:
    """How far the ranks' mean accuracies differ, and the sentence."""
    sample = str(curves["sample"].values[-1])
    means = curves.accuracy.sel(sample=sample).mean("step")
    ranks = [_label(name).removeprefix("rank ") for name in means.ranking.values]
    each = list(map("{:.1%} by the rank {}".format, means.values, ranks))
    return float(means.max() - means.min()), (
        f"{title}: on {_images(curves, sample)} of class {curves.attrs['class']} the mean accuracy "
        f"along cumulative ablation is {listed(each)}."
    )


def _draw_curves(axes: Axes, curves: xr.Dataset) -> None:
    for number, ranking in enumerate(curves.ranking.values):
        accuracy = 100 * curves.accuracy.sel(ranking=ranking).values
        look: Any = {"color": color_of(number), "linestyle": style_of(7 * number)}
        axes.plot(curves.step.values, accuracy, label=_label(ranking), linewidth=1.3, **look)


def _images(curves: xr.Dataset, sample: str) -> str:
    count = int(curves["images"].sel(sample=sample))
    kind = {"subset": "of the training images", "training": "training images"}
    return f"{count} {kind.get(sample, 'held-out images')}"


def _label(ranking: str) -> str:
    return {
        "subset": "rank of a subset",
        "training": "of all training images",
        "held out": "of held-out images",
    }.get(ranking, "of the subsets' mean")


experiment = Experiment("stability", _section, needs=(births, samples), paper="B", figures="4")
