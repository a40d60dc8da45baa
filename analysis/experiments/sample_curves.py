"""Cumulative ablation by the importance ranks of several samples.

Zhao and Zhang 2021, figures 4A and 4B.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from ..figures import color_of, legend, panel, rendered, style_of
from ..findings import foremost, listed
from ..runs import Panel, Runs
from ..section import Figure, Table


def curves_figure(runs: Runs, panels: Sequence[Panel]) -> Figure:
    """Accuracy of the shown class, a row a network and a column a sample."""
    canvas = Canvas(figsize=(9.2, 2.4 * len(panels) + 0.4), layout="constrained")
    grid = canvas.subplots(len(panels), 3, squeeze=False, sharey=True)
    for row, of in zip(grid, panels, strict=True):
        curves = of.results[0]
        for axes, sample in zip(row, curves["sample"].values, strict=True):
            _draw(axes, curves.sel(sample=sample))
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


def curves_table(panels: Sequence[Panel]) -> Table:
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


def curves_findings(panels: Sequence[Panel]) -> list[str]:
    """Of each layer, on the last of its samples, what the ranks make of the accuracy."""
    return foremost([_found(of.title, of.results[0]) for of in panels], "largest differences")


def _found(title: str, curves: xr.Dataset) -> tuple[float, str]:
    """How far the ranks' mean accuracies differ, and the sentence."""
    sample = str(curves["sample"].values[-1])
    means = curves.accuracy.sel(sample=sample).mean("step")
    each = [f"{float(mean):.1%} by the {_rank(str(mean.ranking.values))}" for mean in means]
    return float(means.max() - means.min()), (
        f"{title}: on {_images(curves, sample)} of class {curves.attrs['class']} the mean accuracy "
        f"along cumulative ablation is {listed(each)}."
    )


def _rank(ranking: str) -> str:
    return f"rank {_label(ranking).removeprefix('rank ')}"


def _draw(axes: Axes, curves: xr.Dataset) -> None:
    for number, ranking in enumerate(curves.ranking.values):
        axes.plot(
            np.asarray(curves.step),
            100 * curves.accuracy.sel(ranking=ranking).values,
            color=color_of(number),
            linestyle=style_of(7 * number),
            linewidth=1.3,
            label=_label(ranking),
        )


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
