"""Which attributes of a unit go with the damage that its ablation does.

Zhou et al. 2018, figure 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import scipy
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

import jaxunits as ju

from ..drawn_values import unlisted
from ..experiment import Experiment
from ..figures import DAMAGE, OVERALL, legend, panels_of, rendered
from ..findings import attribute_label, discoveries, foremost, p_value
from ..measurements.ablation import ablation
from ..measurements.attributes import attributes
from ..runs import Panel, Runs
from ..section import Section, Table

_COLUMNS = 4
# Fewer units have no rank correlation.
_FEWEST_UNITS = 3
_LARGEST = "max_class_accuracy_drop"
_DROPS = {
    "overall_accuracy_drop": ("overall drop", OVERALL, "s", -0.17),
    _LARGEST: ("max class drop", DAMAGE, "o", 0.17),
}
_TEXT = """Spearman's rank correlation r over the units of a layer, of every attribute with the
overall accuracy drop and with the max class accuracy drop. Positive r means that units with more of
the attribute do more damage when they are ablated; Zhou et al. 2018 plot the change of accuracy, so
its r has the opposite sign. Between the gray lines r is not different from 0 (two-sided p ≥ 0.05,
one test); the attribute random shows what no relation looks like. Taylor and gradient are read from
one backward pass: a cheap estimate of what ablation measures."""
_DOTS = " Small dots are seeds, large ones their means."
_TOO_FEW = "The layers have fewer units than a rank correlation needs."


def _section(runs: Runs) -> Section:
    """Dots of r, attribute by attribute, and a table of r and p."""
    panels = [
        (panel, _found(panel))
        for panel in runs.panels("attributes")
        if panel.runs[0].sweeps[panel.layer].sizes["unit"] >= _FEWEST_UNITS
    ]
    title = "Which attributes tell a unit's importance?"
    if not panels:
        return Section(title=title, text=[_TEXT], findings=[_TOO_FEW])
    return Section(
        title=title,
        text=[_TEXT],
        figures=[
            rendered(
                "correlations",
                _draw(runs, panels),
                "Spearman's r of attributes with accuracy drops over the units of a layer. "
                f"Positive: more of the attribute, more damage.{_DOTS if runs.several else ''} "
                "After Zhou et al. 2018, figure 5.",
            )
        ],
        tables=[_table(runs, panels)],
        findings=foremost(
            (_sentence(panel.title, found) for panel, found in panels), "strongest correlations"
        ),
    )


def _sentence(title: str, found: xr.Dataset) -> tuple[float, str]:
    """The strongest mean r with the max class drop, and the sentence: whose, and how sure."""
    of = found.sel(accuracy_drop=_LARGEST).transpose("seed", "attribute")
    r, p = of.r.mean("seed").values, of.p_value.values
    if np.isnan(r).all():
        return 0.0, f"{title}: the max class drop, or each attribute, is the same for all units."
    first = int(np.nanargmax(np.abs(r)))
    name = attribute_label(of.attribute.values[first])
    text = f"{title}: of all attributes {name} correlates most with the max class drop"
    if len(p) > 1:
        seeds = f"mean r {r[first]:+.2f} over {len(p)} seeds"
        return abs(r[first]), f"{text} ({seeds}, p < 0.05 in {int((p[:, first] < 0.05).sum())})."
    known = np.isfinite(p[0])
    beyond = discoveries(p[0])
    return abs(r[first]), (
        f"{text} (r = {r[first]:+.2f} over {int(found['n_units'].max())} units, "
        f"{p_value(p[0, first])}); {beyond or 'none'} of "
        f"{int(known.sum())} correlate{'s' if beyond < 2 else ''} with it beyond chance "
        "(5 % false discoveries)."
    )


def _found(panel: Panel) -> xr.Dataset:
    """Correlations by `seed`; NaN where an attribute or drop is the same for all units."""
    each = []
    for run, found in panel.each:
        concepts = run.results.get("concepts", {}).get(panel.layer)
        if concepts is not None:
            found = found.assign(concept_alignment=concepts.alignment)
        each.append(ju.statistics.rank_correlation(found, run.sweeps[panel.layer]))
    return xr.concat(each, "seed", data_vars="all", join="outer")


def _draw(runs: Runs, panels: Sequence[tuple[Panel, xr.Dataset]]) -> Canvas:
    columns = min(_COLUMNS, len(runs.layers("attributes")))
    names = _names(found for _, found in panels)
    height = 0.2 * len(names) + 0.9
    canvas, grid = panels_of(
        len(panels), columns, (2.6, height), around=(1.2, 0.5), sharey=True, sharex=True
    )
    for axes, (panel, found) in zip(grid, panels, strict=True):
        _draw_panel(axes, found, names)
        axes.set_title(panel.title, fontsize=9)
    grid[0].invert_yaxis()
    legend(canvas, grid[0], columns=2)
    return canvas


def _names(each: Iterable[xr.Dataset]) -> list[str]:
    """The attributes that some layer has; random comes last, which all of them have."""
    longest_first = sorted(each, key=lambda found: -found.sizes["attribute"])
    names = dict.fromkeys(str(name) for found in longest_first for name in found.attribute.values)
    return sorted(names, key=lambda name: name == "random")


def _draw_panel(axes: Axes, found: xr.Dataset, names: Sequence[str]) -> None:
    # A layer may lack some, such as the weights that lead into attention heads.
    place = np.array([names.index(str(name)) for name in found.attribute.values])
    for drop, (label, color, marker, shift) in _DROPS.items():
        r = found.r.sel(accuracy_drop=drop)
        if r.sizes["seed"] > 1:
            for seed, row in enumerate(r.transpose("seed", "attribute").values):
                look: Any = {"color": color, "alpha": 0.3, "markersize": 2.5}
                name = unlisted(f"{label}, network {seed}")
                axes.plot(row, place + shift, marker, label=name, **look)
        axes.plot(r.mean("seed"), place + shift, marker, color=color, label=label, markersize=4.5)
    # The |r| from which on p < 0.05, of Student's t.
    freedom = int(found["n_units"].max()) - 2
    quantile = scipy.special.stdtrit(freedom, 0.975)
    bound = float(quantile / np.sqrt(freedom + quantile**2))
    axes.axvline(0, color="0.6", linewidth=0.6, zorder=0)
    for side in (-bound, bound):
        axes.axvline(side, color="0.7", linewidth=0.8, linestyle=":", zorder=0)
    axes.set_yticks(np.arange(len(names)), [attribute_label(name) for name in names])
    axes.set(xlim=(-1.05, 1.05), xlabel="Spearman's r")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.92", linewidth=0.6)
    axes.set_axisbelow(True)


def _table(runs: Runs, panels: Sequence[tuple[Panel, xr.Dataset]]) -> Table:
    rows = []
    for panel, found in panels:
        head = {"configuration": panel.configuration} if runs.several else {}
        for attribute in found.attribute.values:
            cells = {
                f"r with {label}": _cell(found.sel(attribute=attribute, accuracy_drop=drop))
                for drop, (label, *_) in _DROPS.items()
            }
            shown = {"layer": panel.layer, "attribute": attribute_label(attribute)}
            rows.append({**head, **shown, **cells})
    of_several = ": mean over seeds, in how many of them p < 0.05"
    return Table.of(f"Spearman's r{of_several if runs.several else ' and its p, two-sided'}", rows)


def _cell(found: xr.Dataset) -> str:
    r, p = found.r.values, found.p_value.values
    if np.isnan(r).all():
        return "the same for all units"
    if len(r) == 1:
        return f"{r[0]:+.2f} ({p_value(p[0])})"
    return f"{np.nanmean(r):+.2f} ({int((p < 0.05).sum())} of {len(r)})"


experiment = Experiment(
    "correlations", _section, needs=(ablation, attributes), paper="A", figures="5"
)
