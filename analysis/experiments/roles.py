"""Core, overfitted, generalizing and confusing units (paper B, figure 5 and table 1)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Patch

import jaxunits as ju

from ..experiment import Experiment
from ..figures import DAMAGE, GAIN, panel, rendered
from ..measurements.insertion import insertion
from ..measurements.topology import Topology
from ..runs import Run, Runs
from ..section import Section, Table
from ..settings import COUNT, FROM_ZERO, SHARE

_SIDES = ("training", "test")

_COLOURS = ("#009E73", "#A6DFCC", "#E69F00", "#56B4E9", "#BBBBBB")
_ROLES = dict(zip(ju.statistics.ROLES, _COLOURS, strict=True))
_TEXT = """The units of a layer are inserted into the empty layer one after another, the most
important of the class first, and the accuracy of the class is measured on its training images (with
the labels that the network was trained on) and on its test images. A change-point method finds the
stretches in which both curves are straight (ruptures, Pelt with continuous straight lines, penalty
{penalty:g}, at least {shortest} units). A curve rises in a stretch where the {confidence:.0%}
bootstrap interval of its slope is above 0. Core units are those of the first stretch in which both
curves rise; in other stretches units are overfitted (only training accuracy rises), generalizing
(only test accuracy rises) or confusing (neither does). Paper B has no name for later stretches in
which both rise: they stand as core, continued. Paper B reads the stretches off by eye; with a few
hundred images per class, and steps that are not independent, roles are to be read with care."""


@dataclass(frozen=True)
class Roles:
    """Stretches of the insertion curves, and what their units are."""

    penalty: Annotated[float, FROM_ZERO] = 0.02
    """Of a further stretch, against the summed squares that it saves (of accuracy as a share): the
    larger, the fewer stretches."""
    shortest: Annotated[int, COUNT] = 5
    """Units that a stretch has at least."""
    confidence: Annotated[float, SHARE] = 0.95
    """Of the intervals of the slopes."""
    resamples: Annotated[int, COUNT] = 2000
    """Bootstrap samples a stretch."""


def _section(runs: Runs) -> Section:
    """Insertion curves of one class with their stretches; a table of roles over all classes."""
    panels = runs.panels("insertion")
    classes = [
        str(name) for name in panels[0][2][0].kind("insertion")[panels[0][1]]["class"].values
    ]
    shown = runs.config.of(Topology).shown(classes)
    roles = runs.config.of(Roles)
    found = [
        _stretches(members[0].kind("insertion")[layer], shown, runs) for _, layer, members in panels
    ]
    return Section(
        title="Roles of units",
        text=[_TEXT.format(**dataclasses.asdict(roles))],
        figures=[rendered("roles", _draw(runs, panels, found, shown), _caption(runs, shown))],
        tables=[_stretch_table(panels, found, shown), _share_table(runs, panels)],
    )


def _stretches(insertion: xr.Dataset, name: str, runs: Runs) -> xr.Dataset:
    roles = runs.config.of(Roles)
    curves = insertion.accuracy.sel({"class": name}).transpose("step", "side")
    return ju.statistics.unit_roles(
        curves.sel(side=list(_SIDES)).values,
        penalty=roles.penalty,
        min_units=roles.shortest,
        level=roles.confidence,
        num_resamples=roles.resamples,
        seed=runs.config.of(Topology).seed,
    )


def _draw(
    runs: Runs,
    panels: Sequence[tuple[str, str, Sequence[Run]]],
    found: Sequence[xr.Dataset],
    shown: str,
) -> Canvas:
    columns = len(panels)
    canvas = Canvas(figsize=(max(3.2 * columns, 7.5), 5.6), layout="constrained")
    grid = canvas.subplots(2, columns, squeeze=False, sharex="col", sharey="row")
    for column, (name, layer, members) in enumerate(panels):
        insertion = members[0].kind("insertion")[layer].sel({"class": shown})
        title = runs.place(name, layer)
        for axes, kind in zip(grid[:, column], ("accuracy", "loss"), strict=True):
            _draw_stretches(axes, found[column])
            _draw_curves(axes, insertion, kind)
            panel(axes, title if kind == "accuracy" else "", "inserted units")
    grid[0, 0].set_ylabel("class accuracy (%)", fontsize=8)
    grid[1, 0].set_ylabel("class loss (nats)", fontsize=8)
    grid[0, 0].set_ylim(0, 102)
    _legend(canvas, grid[0, 0], 7 if columns > 2 else 4)
    return canvas


def _draw_stretches(axes: Axes, found: xr.Dataset) -> None:
    for number in range(found.sizes["stretch"]):
        one = found.isel(stretch=number)
        first, last = int(one.first_step), int(one.last_step)
        axes.axvspan(first, last, color=_ROLES[str(one.role.values)], alpha=0.35, linewidth=0)
        if number:
            axes.axvline(first, color="white", linewidth=1)


def _draw_curves(axes: Axes, insertion: xr.Dataset, kind: str) -> None:
    scale = 100 if kind == "accuracy" else 1
    for side, colour, style in zip(_SIDES, (GAIN, DAMAGE), ("-", "--"), strict=True):
        values = scale * insertion[kind].sel(side=side).values
        axes.plot(
            np.arange(len(values)),
            values,
            color=colour,
            linestyle=style,
            linewidth=1.6,
            label=f"{side} images",
        )


def _legend(canvas: Canvas, axes: Axes, columns: int) -> None:
    handles, labels = axes.get_legend_handles_labels()
    patches = [Patch(color=colour, alpha=0.35, label=role) for role, colour in _ROLES.items()]
    canvas.legend(
        handles=[*handles, *patches],
        labels=[*labels, *_ROLES],
        loc="outside upper center",
        ncols=columns,
        fontsize=8,
        frameon=False,
    )


def _caption(runs: Runs, shown: str) -> str:
    seed = ", first seed of each configuration" if runs.several else ""
    return (
        f"Accuracy and loss of class {shown} while units are inserted in the order of their "
        f"importance{seed}; the colour says the role of the units of a stretch. After paper B, "
        "figure 5."
    )


def _stretch_table(
    panels: Sequence[tuple[str, str, Sequence[Run]]], found: Sequence[xr.Dataset], shown: str
) -> Table:
    rows = []
    for (name, layer, members), result in zip(panels, found, strict=True):
        for number in range(result.sizes["stretch"]):
            one = result.isel(stretch=number)
            first, last = int(one.first_step) + 1, int(one.last_step)
            rows.append(
                (
                    *(name, members[0].seed, layer, f"{first} to {last}", str(one.role.values)),
                    *(_slope(one.sel(side=side)) for side in _SIDES),
                )
            )
    return Table(
        caption=f"Stretches of class {shown}: slopes in percentage points a unit",
        columns=(
            *("network", "seed", "layer", "units, by rank", "role"),
            *("training accuracy", "test accuracy"),
        ),
        rows=rows,
    )


def _slope(one: xr.Dataset) -> str:
    slope, low, high = (100 * float(one[name]) for name in ("slope", "slope_low", "slope_high"))
    return f"{slope:+.2f} ({low:+.2f} to {high:+.2f})"


def _share_table(runs: Runs, panels: Sequence[tuple[str, str, Sequence[Run]]]) -> Table:
    rows = []
    for name, layer, members in panels:
        each = [run.kind("insertion")[layer] for run in members]
        whole = (
            xr.concat(each, "seed", data_vars="all").accuracy.isel(step=-1).mean(["seed", "class"])
        )
        shares = [
            ju.statistics.role_shares(_stretches(insertion, str(label), runs))
            for insertion in each
            for label in insertion["class"].values
        ]
        mean = np.mean(shares, axis=0)
        rows.append(
            (
                *(name, layer, str(len(shares))),
                *(f"{float(whole.sel(side=side)):.1%}" for side in _SIDES),
                *(f"{share:.0%}" for share in mean),
            )
        )
    return Table(
        caption="Share of a layer's units in each role, means over classes and seeds, with the "
        "mean class accuracy of the whole network",
        columns=("network", "layer", "curves", "training", "test", *_ROLES),
        rows=rows,
    )


experiment = Experiment(
    "roles",
    _section,
    needs=(insertion,),
    options=(Roles,),
    paper="B",
    figures="5, table 1",
    groups=("paper_b",),
)
