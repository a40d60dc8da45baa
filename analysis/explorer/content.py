"""What the explorer's page holds: every network, layer and unit, from measurements alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from ..measurement import Results
from ..runs import Run, Runs
from ..settings import Settings
from .arrays import Packed, packed, unsigned
from .columns import Column, columns_of
from .neighbors import neighbors
from .outcomes import Outcomes
from .pictures import Gallery, pictures_of
from .sprites import Sprites
from .stored import shown_results


def content_of(runs: Runs, sprites: Sprites) -> dict[str, Any] | None:
    """All that the page shows; None where nothing was measured of single units.

    Args:
      runs: the networks.
      sprites: takes the pictures.
    """
    columns: dict[str, Column] = {}
    networks = []
    for run in runs.every:
        results = shown_results(run, runs.config)
        if results:
            name = run.name if runs.several else _network_name(run)
            networks.append(_network(name, results, runs.config, columns, sprites))
    if not networks:
        return None
    first = runs.every[0]
    title = runs.config.run.name if runs.several else _network_name(first)
    return {
        "title": f"{title} on {_attributes(first).get('data', '')}",
        "networks": networks,
        "columns": [each.described for each in columns.values()],
    }


def _network_name(run: Run) -> str:
    return str(_attributes(run).get("network", run.configuration))


def _attributes(run: Run) -> dict[str, Any]:
    """What the first of a network's measurements says of itself."""
    return next(iter(next(iter(run.results.values())).values())).attrs


def _network(
    name: str, results: Results, config: Settings, columns: dict[str, Column], sprites: Sprites
) -> dict[str, Any]:
    """One network; the columns that it has are added to those of all."""
    gallery = Gallery()
    layers = [
        _layer(layer, measured, config, columns, gallery, sprites)
        for layer, measured in _by_layer(results).items()
    ]
    shown: dict[str, Any] = {"name": name, "layers": layers}
    if gallery.pictures:
        shown["images"] = sprites.add(gallery.pictures)
    if "ablation" in results:
        shown |= _classes(next(iter(results["ablation"].values())))
    return shown


def _by_layer(results: Results) -> dict[str, dict[str, xr.Dataset]]:
    """What was measured of each layer, in the network's order."""
    found: dict[str, dict[str, xr.Dataset]] = {}
    for kind, of in results.items():
        for layer, result in of.items():
            found.setdefault(layer, {})[kind] = result

    def number(layer: str) -> int:
        return int(next(iter(found[layer].values())).attrs["layer_number"])

    return {layer: found[layer] for layer in sorted(found, key=number)}


def _classes(sweep: xr.Dataset) -> dict[str, Any]:
    """The classes with images and how the network does on them with every unit in place."""
    counts = sweep.n_images.values
    there = counts > 0
    return {
        "split": str(sweep.attrs.get("split", "")),
        "values": str(sweep.attrs.get("values", "")),
        "classes": [str(name) for name in sweep["class"].values[there]],
        "class_images": unsigned(counts[there]),
        "class_correct": unsigned(sweep["correct_before"].values[there]),
    }


def _layer(
    name: str,
    measured: Mapping[str, xr.Dataset],
    config: Settings,
    columns: dict[str, Column],
    gallery: Gallery,
    sprites: Sprites,
) -> dict[str, Any]:
    outcomes = Outcomes(measured["ablation"]) if "ablation" in measured else None
    # Some measurements are of a part of the units.
    sizes = [each.sizes for each in measured.values()]
    units = max(of.get(axis, 0) for of in sizes for axis in ("responding_unit", "unit"))
    found = columns_of(measured, units, outcomes, config)
    for column in found:
        columns.setdefault(column.key, column)
    shown: dict[str, Any] = {
        "name": name,
        "units": units,
        "unit_is": str(next(iter(measured.values())).attrs.get("unit_is", "")),
        "columns": {key: each for column in found for key, each in column.kept().items()},
        "neighbors": _alike(measured, outcomes),
        **pictures_of(measured, gallery, sprites),
    }
    if outcomes is not None:
        shown["outcomes"] = outcomes.kept()
        if "attributes" in measured:
            means = measured["attributes"].class_mean.values[:, outcomes.classes]
            shown["class_mean"] = packed(means, "f4")
    return shown


def _alike(
    measured: Mapping[str, xr.Dataset], outcomes: Outcomes | None
) -> dict[str, dict[str, Packed]]:
    """The nearest units of each, by mean activations and by drops over the classes."""
    vectors = {}
    if "attributes" in measured:
        means = measured["attributes"].class_mean.values
        vectors["activation"] = means[:, np.isfinite(means).all(0)]
    if outcomes is not None:
        vectors["drop"] = outcomes.drop
    found = {}
    for kind, of in vectors.items():
        places, r = neighbors(of)
        found[kind] = {"units": unsigned(places), "r": packed(r, "f4")}
    return found
