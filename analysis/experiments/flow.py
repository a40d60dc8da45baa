"""The way from an image to a histogram of birth points (Zhao and Zhang 2021, figure 2A)."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

import jaxunits as ju

from ..figures import CHANCE, DAMAGE, GAIN, OVERALL, tidy

_SHOWN = 3


def draw_flow(found: xr.Dataset, births: np.ndarray) -> Canvas:
    """The figure of one unit.

    Args:
      found: the image and the unit's map of it.
      births: the unit's birth points on all images of the class; 0 for none.
    """
    canvas = Canvas(figsize=(12.4, 5.4), layout="constrained")
    upper, lower = canvas.subplots(2, 5)
    values = found.activation.values
    limit = int(found.attrs["topology.limit"])
    convention = found.attrs["topology.convention"]
    curves = ju.topology.betti_curves(values[None, :, :, None], convention=convention)[0, 0]
    cycles = curves.sel(dimension=1, rank=slice(None, limit))
    holes = cycles["rank"].values[cycles.values > 0]
    birth = int(holes[0]) if len(holes) else None
    ranks = edge_ranks(values, convention)
    entering = min(limit, int(ranks.max()), int(curves["rank"][-1]))
    last = max(entering, 0) if birth is None else birth
    shown = sorted({-(-last * part // _SHOWN) for part in range(1, _SHOWN + 1)})
    _picture(upper[0], found)
    _map(canvas, upper[1], values)
    for top, bottom, rank in zip(upper[2:], lower[2:], shown, strict=False):
        _top_set(top, values, ranks, rank)
        _graph(bottom, ranks, rank, birth)
    for spare in (*upper[2 + len(shown) :], *lower[2 + len(shown) :]):
        spare.remove()
    _betti(lower[0], curves, birth, limit)
    _histogram(lower[1], births)
    return canvas


def edge_ranks(values: np.ndarray, convention: str) -> np.ndarray:
    """The rank at which each edge of the symmetrized map enters; -1 for never."""
    authors = convention == "authors"
    rows, columns = np.triu_indices(len(values), 1)
    symmetric = np.maximum(values, values.T)[rows, columns]
    symmetric = symmetric if authors else np.abs(symmetric)
    place = np.unique(-symmetric, return_inverse=True)[1]
    ranks = np.full(values.shape, -1)
    ranks[rows, columns] = place if authors else np.where(symmetric > 0, place + 1, -1)
    return np.maximum(ranks, ranks.T)


def _picture(axes: Axes, found: xr.Dataset) -> None:
    pixels = found.picture.values
    axes.imshow(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels, cmap="gray")
    axes.set_title(f"image of class {found.attrs['class']}", fontsize=9)
    axes.set_axis_off()


def _map(canvas: Canvas, axes: Axes, values: np.ndarray) -> None:
    drawn = axes.imshow(values, cmap="viridis")
    axes.set_title("the unit's map", fontsize=9)
    _rows_and_columns(axes)
    bar = canvas.colorbar(drawn, ax=axes, pad=0.02, shrink=0.8)
    bar.set_label("activation", fontsize=7)
    bar.ax.tick_params(labelsize=7)


def _rows_and_columns(axes: Axes) -> None:
    axes.set(xlabel="column", ylabel="row")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.tick_params(labelsize=7)


def _top_set(axes: Axes, values: np.ndarray, ranks: np.ndarray, rank: int) -> None:
    """Which positions of the symmetrized map have entered."""
    entered = (ranks >= 0) & (ranks <= rank)
    axes.imshow(np.where(entered, 1.0, 0.0), cmap="Greys", vmin=0, vmax=1.4)
    axes.set_title(f"top set, rank {rank}", fontsize=9)
    _rows_and_columns(axes)


def _graph(axes: Axes, ranks: np.ndarray, rank: int, birth: int | None) -> None:
    """Vertices on a circle, and the edges so far; those that enter now in another color."""
    angle = 2 * np.pi * np.arange(len(ranks)) / len(ranks)
    x, y = np.sin(angle), np.cos(angle)
    so_far = np.triu((ranks >= 0) & (ranks < rank))
    for entered, color, width in ((so_far, "0.55", 0.9), (np.triu(ranks == rank), DAMAGE, 2)):
        edges = np.argwhere(entered).T
        axes.plot(x[edges], y[edges], color=color, linewidth=width)
    axes.scatter(x, y, s=16, color=OVERALL, zorder=3)
    for number, place in enumerate(zip(1.17 * x, 1.17 * y, strict=True)):
        axes.text(*place, str(number), fontsize=6, ha="center", va="center")
    axes.set_title(f"rank {rank}: a hole is born" if rank == birth else f"rank {rank}", fontsize=9)
    axes.set(xlim=(-1.3, 1.3), ylim=(-1.3, 1.3))
    axes.set_aspect("equal")
    axes.set_axis_off()


def _betti(axes: Axes, curves: xr.DataArray, birth: int | None, limit: int) -> None:
    for dimension, color in ((0, CHANCE), (1, GAIN)):
        values = curves.sel(dimension=dimension).values
        axes.step(
            curves["rank"].values,
            values,
            where="post",
            color=color,
            label=f"{'components' if dimension == 0 else 'holes'} (β{dimension})",
        )
    if birth is not None:
        axes.axvline(birth, color=DAMAGE, linewidth=1, linestyle="--", label=f"birth point {birth}")
    axes.axvline(limit, color="0.8", linewidth=1, linestyle=":", label=f"limit {limit}")
    axes.set_title("Betti numbers", fontsize=9)
    axes.set(xlabel="rank", ylabel="Betti number")
    axes.legend(fontsize=7, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    tidy(axes)


def _histogram(axes: Axes, births: np.ndarray) -> None:
    having = births[births > 0]
    times = np.bincount(having, minlength=2)
    axes.bar(np.arange(1, len(times)), times[1:], color=GAIN, width=0.9)
    entropy = float(ju.topology.feature_entropy(births[:, None])[0])
    axes.set_title(
        f"{len(having)} of {len(births)} images have one,\nentropy {entropy:.2f} nats", fontsize=9
    )
    axes.set(xlabel="birth point (rank)", ylabel="images")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    tidy(axes)
