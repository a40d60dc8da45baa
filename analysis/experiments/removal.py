"""How long a network holds out while random units are removed (Morcos et al. 2018, figure 1)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from ..experiment import Experiment
from ..figures import band, color_of, label_of, legend, panel, rendered
from ..findings import foremost
from ..measurements.removal import (
    area_under,
    removal,
    removal_of_all,
    share_kept,
    with_all,
    with_half,
)
from ..runs import Panel, Runs
from ..section import Figure, Section, Table

_SIDES = ("training", "test")
_ALL = "all layers"
_MEASURED = """Units are removed at random, more and more of them, in {draws} random orders: those
of one layer, and those of all layers together ({layers}), whose units are in one order. Accuracy is
measured on the images that the network was trained on, with the labels that it was trained on, and
on held-out images."""
_READING = """Networks that had to memorize random labels lose their training accuracy sooner than
networks that could generalize (Morcos et al. 2018): they rely more on single directions. What is
kept with half of the units is a share of the accuracy with all of them; the area under the curve is
the mean accuracy over all numbers of removed units. Of a network with C balanced classes a share of
1/C of the images is right by chance."""


def _section(runs: Runs) -> Section:
    """Curves of all layers and of all of them together, and a table."""
    single = runs.panels("removal")
    together = [
        dataclasses.replace(of, layer=_ALL, title=of.title.removesuffix(of.layer) + _ALL)
        for of in runs.panels("removal_of_all")
    ]
    panels = [*single, *together]
    first = panels[-1].results[0]
    measured = _MEASURED.format(draws=first.sizes["draw"], layers=first.attrs["layers"])
    return Section(
        title="Random units removed",
        text=[measured, _READING],
        figures=[_figure(runs, panels)],
        tables=[_table(panels)],
        findings=[
            *(text for _, text in sorted(map(_found, together), key=lambda each: -each[0])),
            *foremost(((1 - kept, text) for kept, text in map(_found, single)), "largest losses"),
        ],
    )


def _found(shown: Panel) -> tuple[float, str]:
    """The share of the training accuracy that is kept with half of the units, and the sentence."""
    kept = _by_seed(shown, share_kept)[..., 0]
    area = _by_seed(shown, area_under)
    units = shown.results[0].attrs["units"]
    seeds = f" over {len(kept)} seeds" if len(kept) > 1 else ""
    return float(kept.mean()), (
        f"{shown.title}: with half of {units} units removed at random {kept.mean():.1%} of the "
        f"training accuracy is kept{seeds} (± {kept.std(1).mean():.1%} over draws); the mean "
        f"accuracy along the curve is {area[..., 0].mean():.1%} on training images and "
        f"{area[..., 1].mean():.1%} on held-out ones."
    )


def _by_seed(shown: Panel, value: Callable[[xr.Dataset], xr.DataArray]) -> np.ndarray:
    """A number of each curve, by seed, draw and side."""
    of = [value(each) for each in shown.results]
    return np.stack([each.transpose("draw", "side").values for each in of])


def _figure(runs: Runs, panels: Sequence[Panel]) -> Figure:
    columns = list(dict.fromkeys(shown.layer for shown in panels))
    size = (2.9 * len(columns) + 0.4, 5.9)
    canvas = Canvas(figsize=size, layout="constrained")
    grid = canvas.subplots(2, len(columns), squeeze=False, sharex=True, sharey=True)
    colors = {name: color_of(number) for number, name in enumerate(runs.configurations)}
    for shown in panels:
        for row, side in enumerate(_SIDES):
            axes = grid[row, columns.index(shown.layer)]
            _draw_curve(axes, shown, side, colors[shown.configuration])
            panel(axes, f"{shown.layer}, {side} images", "units removed (%)")
    for axes in grid[:, 0]:
        axes.set(ylabel="accuracy (%)", ylim=(0, 103))
    legend(canvas, *grid[0])
    draws = panels[-1].results[0].sizes["draw"]
    return rendered(
        "removal",
        canvas,
        "Accuracy while random units of a layer are removed, and of all layers together; bands are "
        f"the range over {draws} random orders and seeds. After Morcos et al. 2018, figure 1.",
    )


def _draw_curve(axes: Axes, shown: Panel, side: str, color: str) -> None:
    """The mean over draws and seeds, with their range."""
    curves = [each.accuracy.sel(side=side).values for each in shown.results]
    accuracy = 100 * np.concatenate(curves)
    first = shown.results[0]
    share = 100 * first.removed.values / first.attrs["units"]
    low, mean, high = accuracy.min(0), accuracy.mean(0), accuracy.max(0)
    name = label_of(shown.configuration)
    band(axes, share, (low, mean, high), color=color, linewidth=1.5, label=name)


def _table(panels: Sequence[Panel]) -> Table:
    rows = []
    for shown in panels:
        kept, area, half, whole = (
            _by_seed(shown, value) for value in (share_kept, area_under, with_half, with_all)
        )
        rows.append(
            {
                "network": shown.configuration,
                "layer": shown.layer,
                "units": shown.results[0].attrs["units"],
                "seeds": len(kept),
                "training accuracy": f"{whole[..., 0].mean():.1%}",
                "kept with half of the units": _spread(kept[..., 0]),
                "area under the curve": _spread(area[..., 0]),
                "held-out accuracy": f"{whole[..., 1].mean():.1%}",
                "held-out, half of the units": _spread(half[..., 1]),
                "held-out, area": _spread(area[..., 1]),
            }
        )
    return Table.of(
        "What is kept while random units are removed: mean ± standard deviation over draws, then "
        "over seeds",
        rows,
    )


def _spread(values: np.ndarray) -> str:
    """The mean of a share `[seeds, draws]`, and how it varies."""
    text = f"{values.mean():.1%} ± {values.std(1).mean():.1%}"
    return f"{text}, ± {values.mean(1).std(ddof=1):.1%}" if len(values) > 1 else text


experiment = Experiment("removal", _section, needs=(removal, removal_of_all))
