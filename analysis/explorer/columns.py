"""The columns of the table of units: what each says, and its numbers in a layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

import jaxunits as ju
from jaxunits._optional import is_installed

from ..experiments.roles import stretches
from ..findings import attribute_label
from ..measurements.births import births_of
from ..measurements.topology import Topology
from ..settings import Settings
from .arrays import Packed, packed, texts
from .outcomes import Outcomes


@dataclass(frozen=True)
class Column:
    """A quantity of every unit of a layer.

    Attributes:
      key: its name in the page's data.
      label: its name for people.
      group: what it was read from, for people.
      about: what it says.
      kind: how it is shown: `share` (in percent), `count`, `number` or `text`.
      values: numbers or texts, by unit.
      low: lower ends of its intervals, where it has any.
      high: their upper ends.
    """

    key: str
    label: str
    group: str
    about: str
    kind: str
    values: Any
    low: Any = None
    high: Any = None

    @property
    def described(self) -> dict[str, Any]:
        """All of it but the numbers."""
        shown = {name: getattr(self, name) for name in ("key", "label", "group", "about", "kind")}
        return {**shown, "interval": self.low is not None}

    def kept(self) -> dict[str, Packed]:
        """The numbers by their keys in the page's data."""
        if self.kind == "text":
            return {self.key: texts(self.values)}
        each = {self.key: self.values, f"{self.key}.low": self.low, f"{self.key}.high": self.high}
        return {key: packed(values, "f4") for key, values in each.items() if values is not None}


def columns_of(
    measured: Mapping[str, xr.Dataset], units: int, outcomes: Outcomes | None, config: Settings
) -> list[Column]:
    """All columns of a layer.

    Args:
      measured: what was measured of it, by name of the measurement.
      units: how many it has.
      outcomes: of its sweep, where there is one.
      config: what was asked for.
    """
    found: list[Column] = []
    if outcomes is not None:
        found += _drops(measured["ablation"], outcomes)
    if "attributes" in measured:
        found += _attributes(measured["attributes"])
    if "concepts" in measured:
        found += _concepts(measured["concepts"])
    if "births" in measured:
        found += _births(measured["births"], config.of(Topology))
        if "insertion" in measured and is_installed("ruptures"):
            found += _roles(measured, config)
    if "synthesis" in measured:
        found += _synthesis(measured["synthesis"], units)
    return found


def _drops(sweep: xr.Dataset, outcomes: Outcomes) -> Iterator[Column]:
    group = "Ablation"
    names = sweep.most_damaged_class.values.tolist()
    yield Column(
        "max_drop",
        "max class drop",
        group,
        "accuracy that the worst class loses without the unit, with its 95 % interval",
        "share",
        sweep.max_class_accuracy_drop.values,
        **outcomes.worst(names),
    )
    yield Column(
        "worst_class", "worst class", group, "class that loses most without the unit", "text", names
    )
    about = "accuracy that all images together lose without the unit, with its 95 % interval"
    whole = {key: outcomes.overall[key] for key in ("low", "high")}
    overall = sweep.overall_accuracy_drop.values
    yield Column("overall_drop", "overall drop", group, about, "share", overall, **whole)
    about = "classes that lose more than chance explains (exact McNemar, 5 % false discoveries)"
    damaged = outcomes.damaged.sum(1)
    yield Column("damaged", "damaged classes", group, about, "count", damaged)
    about = "smallest class drop; below zero the class gains without the unit"
    lowest = sweep.min_class_accuracy_drop.values
    yield Column("min_drop", "min class drop", group, about, "share", lowest)
    rise = (sweep.loss_sum.sum("class") - sweep.loss_sum_before.sum()) / sweep.n_images.sum()
    about = "mean cross-entropy after ablation minus before, in nats per image"
    yield Column("loss_rise", "loss rise", group, about, "number", rise.values)


def _attributes(result: xr.Dataset) -> Iterator[Column]:
    for name, values in result.data_vars.items():
        if values.dims != ("unit",) or values.dtype.kind not in "fiub":
            continue
        about, unit = values.attrs.get("long_name", ""), values.attrs.get("units", "")
        kind = "share" if unit.startswith("share") else "number"
        label = attribute_label(name)
        about = f"{about} ({unit})" if unit else about
        yield Column(str(name), label, "Attributes", about, kind, values.values)


def _concepts(result: xr.Dataset) -> Iterator[Column]:
    group = "Concepts"
    names = result.best_concept.values.tolist()
    about = "visual concept that the unit's map coincides with best"
    yield Column("concept", "concept", group, about, "text", names)
    about = "intersection over union of the unit's map with its best concept"
    yield Column("concept_iou", "concept IoU", group, about, "number", result.alignment.values)
    detector = np.where(result.detector.values, "yes", "no")
    about = f"IoU above {result.attrs['detector_iou']}"
    yield Column("detector", "detector", group, about, "text", detector)


def _births(result: xr.Dataset, topology: Topology) -> Iterator[Column]:
    group = "Topology"
    born = result.birth_point.transpose("image", "unit").values
    having = np.ma.masked_equal(born, 0)
    median = np.ma.median(having, axis=0).filled(np.nan)
    about = "median birth point over the training images that have one"
    yield Column("birth_point", "birth point", group, about, "number", median)
    about = "share of training images with a birth point"
    yield Column("selective_rate", "selective rate", group, about, "share", (born > 0).mean(0))
    names = dict.fromkeys(result["class"].values.tolist())
    by_class = [births_of(result, name).transpose("image", "unit").values for name in names]
    entropy = np.mean([ju.topology.feature_entropy(each) for each in by_class], axis=0)
    about = "entropy of the unit's birth points on images of a class, in nats, mean over classes"
    yield Column("feature_entropy", "feature entropy", group, about, "number", entropy)
    effective = np.mean([topology.effectiveness(each) for each in by_class], axis=0)
    about = "selective rate over feature entropy, mean over classes"
    yield Column("effectiveness", "effectiveness", group, about, "number", effective)


def _roles(measured: Mapping[str, xr.Dataset], config: Settings) -> Iterator[Column]:
    """What each unit is for the class that the report shows."""
    insertion, topology = measured["insertion"], config.of(Topology)
    shown = topology.shown([str(name) for name in insertion["class"].values])
    births = births_of(measured["births"], shown).transpose("image", "unit").values
    order = ju.topology.importance_order(topology.effectiveness(births))
    found = stretches(insertion, shown, config)
    roles = np.full(len(order), "", object)
    edges = zip(found.first_step.values, found.last_step.values, found.role.values, strict=True)
    for first, last, role in edges:
        roles[order[int(first) : int(last)]] = str(role)
    about = f"role for the class {shown}, from the curves of inserting units"
    yield Column("role", "role", "Roles", about, "text", roles)
    rank = np.empty(len(order))
    rank[order] = np.arange(1, len(order) + 1)
    about = f"rank by effectiveness for the class {shown}; 1 is inserted first"
    yield Column("importance_rank", "importance rank", "Roles", about, "count", rank)


def _synthesis(result: xr.Dataset, units: int) -> Iterator[Column]:
    means = result.rs.mean("noise_seed", skipna=True).transpose("maximized", "unit").values
    for objective, mean in zip(result.maximized.values.tolist(), means, strict=True):
        values = np.full(units, np.nan)
        values[result.unit.values] = mean
        about = (
            "share of the layer's units that respond more to the unit's own image "
            f"({objective.upper()}) than it does itself, mean over noise seeds"
        )
        name = f"RS ({objective.upper()})"
        yield Column(f"rs_{objective}", name, "Images made for units", about, "share", values)
