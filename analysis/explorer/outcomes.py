"""What the ablation of every unit does to every class, small enough for a page."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Int64

import jaxunits as ju

from ..findings import DISCOVERIES
from .arrays import Packed, packed, unsigned


class Outcomes:
    """A layer's pairs of unit and class with images.

    Many pairs share their counts of broken, repaired and all images: interval and test are computed
    once for each different outcome.

    Attributes:
      classes: which of the sweep's classes have images.
      drop: class accuracy drops, `[units, classes]`.
      overall: the drop of all images together with its interval, by unit.
    """

    def __init__(self, sweep: xr.Dataset) -> None:
        counts = sweep.n_images.values
        self.classes = np.flatnonzero(counts > 0)
        self._names = sweep["class"].values
        broken, correct = sweep["broken"].values, sweep["correct"].values
        repaired = correct - sweep["correct_before"].values + broken
        self._broken, self._repaired = broken[:, self.classes], repaired[:, self.classes]
        self._images = np.broadcast_to(counts[self.classes], self._broken.shape)
        self.overall = _intervals(broken.sum(1), repaired.sum(1), counts.sum())

    @functools.cached_property
    def _different(self) -> tuple[np.ndarray, np.ndarray]:
        """One pair of each different outcome, and the outcome of each pair."""
        base = int(self._images.max()) + 1
        code = (self._broken * base + self._repaired) * base + self._images
        _, first, index = np.unique(code, return_index=True, return_inverse=True)
        return first, index.reshape(self._broken.shape)

    @functools.cached_property
    def _table(self) -> dict[str, np.ndarray]:
        """Drop, interval and p of each different outcome."""
        first, index = self._different
        counts = (each.ravel()[first] for each in (self._broken, self._repaired, self._images))
        broken, repaired, images = counts
        p = ju.statistics.damage_p_values(broken, repaired)
        # False discoveries are expected among all pairs, and pairs of one outcome share their p.
        rates = ju.statistics.false_discovery_rates(p[index.ravel()])
        damaged = np.zeros(len(first), bool)
        damaged[index.ravel()] = rates <= DISCOVERIES
        return {**_intervals(broken, repaired, images), "damaged": damaged}

    @property
    def drop(self) -> Float[np.ndarray, "units classes"]:
        """Class accuracy drops as shares."""
        return self._table["drop"][self._different[1]]

    @property
    def damaged(self) -> Bool[np.ndarray, "units classes"]:
        """Whether a class loses beyond chance."""
        return self._table["damaged"][self._different[1]]

    def worst(self, names: Sequence[str]) -> dict[str, np.ndarray]:
        """The interval of one class of each unit.

        Args:
          names: of these classes.
        """
        number = {name: place for place, name in enumerate(self._names[self.classes].tolist())}
        columns: Int64[np.ndarray, " units"] = np.array([number[name] for name in names], np.int64)
        outcome = self._different[1][np.arange(len(columns)), columns]
        return {key: self._table[key][outcome] for key in ("low", "high")}

    def kept(self) -> dict[str, Packed]:
        """As the page's scripts read it: different outcomes, and the number of each pair's."""
        table = {key: packed(self._table[key], "f4") for key in ("drop", "low", "high")}
        damaged = packed(self._table["damaged"], "u1")
        return {**table, "damaged": damaged, "outcome": unsigned(self._different[1])}


def _intervals(broken: Any, repaired: Any, images: Any) -> dict[str, np.ndarray]:
    low, high = ju.statistics.paired_interval(broken, repaired, images)
    return {"drop": (broken - repaired) / images, "low": low, "high": high}
