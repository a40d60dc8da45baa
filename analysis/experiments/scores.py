"""Every attribute of a layer's units that was measured, as numbers and as vectors over classes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float64

from ..measurements.births import births_of
from ..measurements.topology import Topology
from ..runs import Run
from ..settings import Settings

# Of the attributes that have a number for each class.
_BY_CLASS = {
    **{name: f"{name}_by_class" for name in ("class_correlation", "class_selectivity")},
    **{name: f"{name}_by_class" for name in ("taylor", "gradient")},
    "activation_mean": "class_mean",
}
SIZE = "activation_mean"
_FORWARD = "1, of all layers together"
_PASSES = {
    **dict.fromkeys(("l1_norm", "random"), "0: weights alone"),
    **dict.fromkeys(("taylor", "gradient"), "1 and its derivative, of all layers together"),
}


class Score(NamedTuple):
    """An attribute of the units of a layer.

    Attributes:
      name: what it is called.
      of_unit: a number for each unit; NaN where a unit has none.
      by_class: a number for each unit and class of the sweep; None where there is none.
      passes: over the images, or over what lies behind the layer, in words.
      kind: the measurement that it is from.
    """

    name: str
    of_unit: Float64[np.ndarray, " units"]
    by_class: Float64[np.ndarray, "units classes"] | None
    passes: str
    kind: str


def scores(run: Run, layer: str, config: Settings) -> list[Score]:
    """The attributes of a layer's units that were measured of a network.

    Args:
      run: the network, its sweep and attributes among what was measured.
      layer: the layer.
      config: the options of the feature topology.
    """
    sweep = run.sweeps[layer]
    found = list(_attributes(run.kind("attributes")[layer]))
    for kind, read in (
        ("concepts", _concepts),
        ("births", lambda each: _effectiveness(each, sweep, config)),
        ("synthesis", lambda each: _substitution(each, sweep)),
        ("greedy", lambda each: _greedy(each, sweep)),
        ("shapley", _shapley),
    ):
        measured = run.results.get(kind, {}).get(layer)
        if measured is not None:
            found.extend(read(measured))
    return found


def _attributes(of: xr.Dataset) -> Iterator[Score]:
    for name, values in of.items():
        if values.dims != ("unit",):
            continue
        vectors = of.get(_BY_CLASS.get(str(name), ""))
        by_class = None if vectors is None else _vectors(vectors)
        passes = _PASSES.get(str(name), _FORWARD)
        yield Score(str(name), np.asarray(values, np.float64), by_class, passes, "attributes")


def _vectors(values: xr.DataArray) -> Float64[np.ndarray, "units classes"]:
    return values.transpose("unit", "class").values.astype(np.float64)


def _concepts(of: xr.Dataset) -> Iterator[Score]:
    alignment = np.asarray(of.alignment, np.float64)
    yield Score("concept_alignment", alignment, None, "2, over annotated images", "concepts")


def _effectiveness(of: xr.Dataset, sweep: xr.Dataset, config: Settings) -> Iterator[Score]:
    """By class, NaN for classes that were not chosen; of a unit its largest."""
    vectors = np.full((sweep.sizes["unit"], sweep.sizes["class"]), np.nan)
    present = set(of["class"].values.tolist())
    for place, name in enumerate(sweep["class"].values.tolist()):
        if name in present:
            births = births_of(of, name).values
            vectors[:, place] = config.of(Topology).effectiveness(births)
    largest = np.nanmax(vectors, axis=1)
    yield Score("effectiveness", largest, vectors, "1, over training images", "births")


def _substitution(of: xr.Dataset, sweep: xr.Dataset) -> Iterator[Score]:
    """RS is of the units that have images."""
    steps, seeds = of.attrs.get("steps", "?"), of.sizes["noise_seed"]
    for objective in of["maximized"].values.tolist():
        mean = of.rs.sel(maximized=objective).mean("noise_seed")
        values = mean.reindex(unit=sweep["unit"]).values.astype(np.float64)
        passes = f"{seeds} × {steps} steps of ascent for each unit"
        yield Score(f"rs_{objective}", values, None, passes, "synthesis")


def _greedy(of: xr.Dataset, sweep: xr.Dataset) -> Iterator[Score]:
    """By class, how early greedy ablation takes a unit: from the number of steps down; 0 if not."""
    vectors = np.full((sweep.sizes["unit"], sweep.sizes["class"]), np.nan)
    places = {name: place for place, name in enumerate(sweep["class"].values.tolist())}
    chosen = of.ordered_unit.transpose("order", "step").values[:, 1:]
    steps = chosen.shape[1]
    for target, order in zip(of.target.values.tolist(), chosen, strict=True):
        if target:
            vectors[:, places[target]] = 0
            vectors[order, places[target]] = np.arange(steps, 0, -1)
    units, classes = len(vectors), int(np.isfinite(vectors[0]).sum())
    masks = classes * sum(range(units - steps + 1, units + 1))
    passes = f"{masks:,} behind the layer, over one class's images each"
    yield Score("greedy_rank", np.nanmax(vectors, axis=1), vectors, passes, "greedy")


def _shapley(of: xr.Dataset) -> Iterator[Score]:
    masks = int(of.attrs["orders"]) * (of.sizes["unit"] + 1)
    passes = f"{masks:,} behind the layer"
    by_class = _vectors(of.shapley_by_class)
    yield Score("shapley", np.asarray(of.shapley, np.float64), by_class, passes, "shapley")
    loss = np.asarray(of.loss_shapley, np.float64)
    yield Score("loss_shapley", loss, None, passes, "shapley")
