"""The pictures of the site, from measurements.

    python docs/_pictures/draw.py runs/demo

draws a unit of the demo (after `make demo`), the accuracy of its classes before and after it is
ablated, and the drop curves of ResNet-20 from the counts beside this file, which docs/gallery.md
says how to measure.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jaxunits as ju
from jaxunits.analysis import figures

HERE = Path(__file__).parent
IMAGES = HERE.parent / "images"
LAYERS = {"layer1.2": 16, "layer2.2": 32, "layer3.2": 64}
LAYER = "conv2"
# SVGs hold text as text and nothing that changes from run to run.
STYLE = {**figures.STYLE, "svg.fonttype": "none", "svg.hashsalt": "jaxunits"}
SVG = {"Date": None, "Creator": None}


def drop_curves(counts: pd.DataFrame) -> Figure:
    """Units of each layer sorted by the drop of the class that they damage most.

    Args:
      counts: a row per layer, unit and class, with `broken`, `repaired` and `images`.
    """
    canvas, grid = figures.panels_of(len(LAYERS), 3, (2.9, 2.6), label=figures.POINTS)
    for axes, (layer, units) in zip(grid, LAYERS.items(), strict=True):
        of_layer = counts[counts.layer == layer]
        broken, repaired, images = (
            of_layer[name].to_numpy().reshape(units, -1)
            for name in ("broken", "repaired", "images")
        )
        chance = ju.statistics.chance_drops(broken, repaired, images[:1], num_draws=1000)
        rank = np.arange(1, units + 1)
        figures.band(
            axes,
            rank,
            [100 * np.quantile(chance, share, axis=0) for share in (0.025, 0.5, 0.975)],
            alpha=0.3,
            color=figures.CHANCE,
            label="max class drop by chance",
        )
        drops = (broken - repaired) / images
        order = np.argsort(-drops.max(1), kind="stable")
        overall = (broken - repaired).sum(1) / images.sum(1)
        for values, color, label in (
            (drops.max(1), figures.DAMAGE, "max class drop"),
            (overall, figures.OVERALL, "overall drop"),
        ):
            axes.plot(rank, 100 * values[order], ".-", color=color, label=label, markersize=4)
        figures.panel(axes, f"{layer} ({units} units)", "units, sorted by max class drop")
    figures.legend(canvas, grid[0])
    return canvas


def unit_in_pictures(panel: xr.Dataset) -> Figure:
    """The images that activate a unit most, its maps, and the images where it responds."""
    canvas = Figure(figsize=(6, 3.6), layout="constrained")
    rows = canvas.subplots(3, 5)
    rows[0, 0].set_ylabel("image")
    rows[1, 0].set_ylabel("map")
    rows[2, 0].set_ylabel("where it responds")
    highest = float(panel.activation_map.max())
    for rank, column in enumerate(rows.T):
        shown = panel.isel(rank=rank)
        column[0].imshow(shown.thumbnail.values[..., 0], cmap="gray", vmin=0, vmax=255)
        column[1].imshow(shown.activation_map.values, cmap="magma", vmin=0, vmax=highest)
        side = shown.thumbnail.shape[0]
        around = np.kron(shown.activation_map.values, np.ones((side, side)))
        # Each pixel takes the value of the map at its place.
        place = (np.arange(side) + 0.5) / side * around.shape[0]
        bright = around[np.ix_(place.astype(int), place.astype(int))] > float(panel.threshold)
        pixels = shown.thumbnail.values[..., 0]
        column[2].imshow(np.where(bright, pixels, pixels // 3), cmap="gray", vmin=0, vmax=255)
    for axes in rows.flat:
        _without_ticks(axes)
    return canvas


def before_and_after(sweep: xr.Dataset) -> Figure:
    """The accuracy of every class before a unit is ablated, and after."""
    canvas = Figure(figsize=(6, 2.4), layout="constrained")
    axes = canvas.subplots()
    place = np.arange(sweep.sizes["class"])
    before = 100 * (sweep.correct_before / sweep.n_images).values
    after = 100 * (sweep.correct / sweep.n_images).values
    axes.bar(place - 0.2, before, 0.38, color="0.7", label="before")
    axes.bar(place + 0.2, after, 0.38, color=figures.DAMAGE, label="after")
    axes.set_xticks(place, sweep["class"].values)
    axes.set(xlabel="class", ylabel="accuracy (%)")
    figures.tidy(axes)
    figures.legend(canvas, axes)
    return canvas


def _without_ticks(axes: Axes) -> None:
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _measured(run: Path, kind: str) -> xr.Dataset:
    """A measurement of the demo's layer."""
    (path,) = (run / "measurements").glob(f"{kind}_{LAYER}_validation_*.nc")
    return ju.results.read(path)


def main() -> None:
    """Draw all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="the demo's run folder")
    run = parser.parse_args().run
    panels, sweep = _measured(run, "panels"), _measured(run, "ablation")
    unit = int(ju.results.most_damaging(sweep, 1)[0])
    with rc_context(STYLE):
        counts = pd.read_csv(HERE / "resnet20.csv")
        drop_curves(counts).savefig(IMAGES / "drop-curves.svg", metadata=SVG)
        drawn = before_and_after(sweep.sel(unit=unit))
        drawn.savefig(IMAGES / "ablation.svg", metadata=SVG)
        unit_in_pictures(panels.sel(unit=unit)).savefig(IMAGES / "unit.png", dpi=100)


if __name__ == "__main__":
    main()
