"""Mean, standard deviation and largest value of units, and how often they are zero."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float64, Int64

from ._collector import Collector, variable
from ._seen import Seen


class Statistics(NamedTuple):
    """Statistics over some images.

    Attributes:
      images: how many.
      positions: of all their maps together.
      mean: of activations.
      squares: sum of the squared distances from the mean.
      largest: the largest value at any position.
      zeros: positions that are zero.
      silent: images whose maps are zero everywhere.
    """

    images: Int64[np.ndarray, ""]
    positions: Int64[np.ndarray, ""]
    mean: Float64[np.ndarray, " units"]
    squares: Float64[np.ndarray, " units"]
    largest: Float64[np.ndarray, " units"]
    zeros: Int64[np.ndarray, " units"]
    silent: Int64[np.ndarray, " units"]


def _observe(seen: Seen) -> Statistics:
    values = np.asarray(seen.units.activation, np.float64)
    mean = np.asarray(values.mean(0))
    silent = seen.units.zeros == seen.units.positions[:, None]
    return Statistics(
        images=np.asarray(len(values)),
        positions=np.asarray(seen.units.positions.sum(dtype=np.int64)),
        mean=mean,
        squares=np.asarray(((values - mean) ** 2).sum(0)),
        largest=np.asarray(seen.units.largest.max(0), np.float64),
        zeros=np.asarray(seen.units.zeros.sum(0, dtype=np.int64)),
        silent=np.asarray(silent.sum(0, dtype=np.int64)),
    )


def _merge(one: Statistics, other: Statistics) -> Statistics:
    """Chan, Golub and LeVeque's update, which is numerically stable."""
    images = one.images + other.images
    distance = other.mean - one.mean
    return Statistics(
        images=images,
        positions=one.positions + other.positions,
        mean=one.mean + distance * (other.images / images),
        squares=one.squares
        + other.squares
        + distance**2 * (float(one.images) * other.images / images),
        largest=np.maximum(one.largest, other.largest),
        zeros=one.zeros + other.zeros,
        silent=one.silent + other.silent,
    )


def _finish(state: Statistics) -> dict[str, xr.Variable]:
    unit = ("unit",)
    return {
        "activation_mean": variable(unit, state.mean, "", "mean activation over the images"),
        "activation_std": variable(
            unit,
            np.sqrt(state.squares / state.images),
            "",
            "standard deviation of the activation over the images",
        ),
        "activation_max": variable(unit, state.largest, "", "largest value at any position"),
        "apoz": variable(
            unit,
            state.zeros / state.positions,
            "share of positions",
            "average percentage of zeros: positions of all images where the unit is zero",
        ),
        "silent_share": variable(
            unit,
            state.silent / state.images,
            "share of images",
            "images on which the unit is zero everywhere",
        ),
    }


statistics = Collector(Statistics, _observe, _merge, _finish)
