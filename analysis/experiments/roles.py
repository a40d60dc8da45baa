"""Core, overfitted, generalizing and confusing units.

Zhao and Zhang 2021, figure 5 and table 1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Patch

import jaxunits as ju

from ..drawn_values import unlisted
from ..experiment import Experiment
from ..figures import DAMAGE, GAIN, legend, panel, rendered
from ..findings import counted, foremost, listed
from ..measurements.insertion import insertion
from ..measurements.topology import Topology
from ..runs import Panel, Runs
from ..section import Figure, Section, Table
from ..settings import COUNT, FROM_ZERO, SHARE, Settings

_SIDES = ("training", "test")

_COLORS = ("#009E73", "#A6DFCC", "#E69F00", "#56B4E9", "#BBBBBB")
_ROLES = dict(zip(ju.statistics.ROLES, _COLORS, strict=True))
_TEXT = """The units of a layer are inserted into the empty layer one after another, the most
important of the class first, and the accuracy of the class is measured on its training images (with
the labels that the network was trained on) and on its test images. A change-point method finds the
stretches in which both curves are straight (ruptures, Pelt with continuous straight lines, penalty
{penalty:g}, at least {shortest} units). A curve rises in a stretch where the {confidence:.0%}
bootstrap interval of its slope is above 0. Core units are those of the first stretch in which both
curves rise; in other stretches units are overfitted (only training accuracy rises), generalizing
(only test accuracy rises) or confusing (neither does). Zhao and Zhang 2021 have no name for later
stretches in which both rise: they stand as core, continued. Zhao and Zhang 2021 read the stretches
off by eye; with a few hundred images per class, and steps that are not independent, roles are to be
read with care."""


@dataclass(frozen=True)
class Roles:
    """Stretches of the insertion curves, and what their units are."""

    penalty: Annotated[float, FROM_ZERO] = 0.02
    """The price of a further stretch, against the summed squares that it saves (of accuracy as a
    share): the larger, the fewer stretches."""
    shortest: Annotated[int, COUNT] = 5
    """The fewest units of a stretch."""
    confidence: Annotated[float, SHARE] = 0.95
    """The confidence level of the slopes' intervals."""
    resamples: Annotated[int, COUNT] = 2000
    """Bootstrap samples per stretch."""


def _section(runs: Runs) -> Section:
    """Insertion curves of one class with their stretches; a table of roles over all classes."""
    panels = runs.panels("insertion")
    classes = [str(name) for name in panels[0].results[0]["class"].values]
    shown = runs.config.of(Topology).shown(classes)
    roles = runs.config.of(Roles)
    found = [stretches(of.results[0], shown, runs.config) for of in panels]
    shares = [_shares(of, runs) for of in panels]
    return Section(
        title="Roles of units",
        text=[_TEXT.format(**dataclasses.asdict(roles))],
        figures=[_figure(panels, found, shown)],
        tables=[_stretch_table(panels, found, shown), _share_table(panels, shares)],
        findings=foremost(
            map(_found, (of.title for of in panels), shares), "largest shares of core units"
        ),
    )


def _found(title: str, shares: np.ndarray) -> tuple[float, str]:
    """The share of core units, and the sentence: what the units of a layer are.

    Args:
      title: of the layer.
      shares: `[curves, roles]`, in the order of `_ROLES`.
    """
    mean = dict(zip(_ROLES, shares.mean(0).tolist(), strict=True))
    falling = sorted((role for role in mean if mean[role] > 0), key=lambda role: -mean[role])
    each = listed([f"{mean[role]:.0%} are {role}" for role in falling])
    return mean["core"], (
        f"{title}: of the units {each} (mean over {counted(len(shares), 'curve')}, one per "
        "class and network)."
    )


def _shares(of: Panel, runs: Runs) -> np.ndarray:
    """The share of units in each role, `[curves, roles]`, a curve a network and class."""
    return np.stack(
        [
            ju.statistics.role_shares(stretches(result, str(label), runs.config)).values
            for result in of.results
            for label in result["class"].values
        ]
    )


def stretches(insertion: xr.Dataset, name: str, config: Settings) -> xr.Dataset:
    """The stretches of a class's insertion curves, with their roles.

    Args:
      insertion: what was measured of a layer.
      name: of the class.
      config: the options of roles and topology.
    """
    roles = config.of(Roles)
    curves = insertion.accuracy.sel({"class": name}).transpose("step", "side")
    return ju.statistics.unit_roles(
        curves.sel(side=list(_SIDES)).values,
        penalty=roles.penalty,
        min_units=roles.shortest,
        level=roles.confidence,
        num_resamples=roles.resamples,
        seed=config.of(Topology).seed,
    )


def _figure(panels: Sequence[Panel], found: Sequence[xr.Dataset], shown: str) -> Figure:
    columns = len(panels)
    canvas = Canvas(figsize=(max(3.2 * columns, 7.5), 5.6), layout="constrained")
    grid = canvas.subplots(2, columns, squeeze=False, sharex="col", sharey="row")
    for column, of in enumerate(panels):
        insertion = of.results[0].sel({"class": shown})
        for axes, kind in zip(grid[:, column], ("accuracy", "loss"), strict=True):
            _draw_stretches(axes, found[column])
            _draw_curves(axes, insertion, kind)
            panel(axes, of.title if kind == "accuracy" else "", "inserted units")
    grid[0, 0].set_ylabel("class accuracy (%)")
    grid[1, 0].set_ylabel("class loss (nats)")
    grid[0, 0].set_ylim(0, 102)
    patches = [Patch(color=color, alpha=0.35, label=role) for role, color in _ROLES.items()]
    legend(canvas, grid[0, 0], columns=7 if columns > 2 else 4, patches=patches)
    several = panels[0].title != panels[0].layer
    seed = ", first seed of each configuration" if several else ""
    return rendered(
        "roles",
        canvas,
        f"Accuracy and loss of class {shown} while units are inserted in the order of their "
        f"importance{seed}; the color says the role of the units of a stretch. After Zhao and "
        "Zhang 2021, figure 5.",
    )


def _draw_stretches(axes: Axes, found: xr.Dataset) -> None:
    for number in range(found.sizes["stretch"]):
        one = found.isel(stretch=number)
        first, last = int(one.first_step), int(one.last_step)
        role = str(one.role.values)
        look: Any = {"color": _ROLES[role], "alpha": 0.35, "linewidth": 0}
        axes.axvspan(first, last, label=unlisted(role), **look)
        if number:
            axes.axvline(first, color="white", linewidth=1)


def _draw_curves(axes: Axes, insertion: xr.Dataset, kind: str) -> None:
    scale = 100 if kind == "accuracy" else 1
    for side, color, style in zip(_SIDES, (GAIN, DAMAGE), ("-", "--"), strict=True):
        values = scale * insertion[kind].sel(side=side).values
        look: Any = {"color": color, "linestyle": style, "linewidth": 1.6}
        axes.plot(np.arange(len(values)), values, label=f"{side} images", **look)


def _stretch_table(panels: Sequence[Panel], found: Sequence[xr.Dataset], shown: str) -> Table:
    rows = []
    for of, result in zip(panels, found, strict=True):
        for number in range(result.sizes["stretch"]):
            one = result.isel(stretch=number)
            rows.append(
                {
                    **of.head_of(of.runs[0]),
                    "units, by rank": f"{int(one.first_step) + 1} to {int(one.last_step)}",
                    "role": one.role.values,
                    **{f"{side} accuracy": _slope(one.sel(side=side)) for side in _SIDES},
                }
            )
    return Table.of(f"Stretches of class {shown}: slopes in percentage points a unit", rows)


def _slope(one: xr.Dataset) -> str:
    slope, low, high = (100 * float(one[name]) for name in ("slope", "slope_low", "slope_high"))
    return f"{slope:+.2f} ({low:+.2f} to {high:+.2f})"


def _share_table(panels: Sequence[Panel], shares: Sequence[np.ndarray]) -> Table:
    rows = []
    for of, found in zip(panels, shares, strict=True):
        each = xr.concat(of.results, "seed", data_vars="all").accuracy
        whole = each.isel(step=-1).mean(["seed", "class"])
        mean = zip(_ROLES, found.mean(0), strict=True)
        rows.append(
            {
                **of.head,
                "curves": len(found),
                **{side: f"{float(whole.sel(side=side)):.1%}" for side in _SIDES},
                **{role: f"{share:.0%}" for role, share in mean},
            }
        )
    return Table.of(
        "Share of a layer's units in each role, means over classes and seeds, with the "
        "mean class accuracy of the whole network",
        rows,
    )


experiment = Experiment(
    "roles", _section, needs=(insertion,), options=(Roles,), paper="B", figures="5, table 1"
)
