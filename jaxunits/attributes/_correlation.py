"""Class correlation: does a unit's activation rise with a class's predicted probability?"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float64

from .._arguments import real_array
from .._errors import InputError
from ._collector import Collector, variable
from ._seen import Seen


class Moments(NamedTuple):
    """Moments of one group of variables over some images.

    Attributes:
      mean: of each.
      squares: sum of squared distances from it.
      low: the smallest value.
      high: the largest value.
    """

    mean: Float64[np.ndarray, " variables"]
    squares: Float64[np.ndarray, " variables"]
    low: Float64[np.ndarray, " variables"]
    high: Float64[np.ndarray, " variables"]


class Comoments(NamedTuple):
    """Moments of activations and probabilities over some images.

    Attributes:
      images: how many.
      activation: of the units.
      probability: of the classes.
      products: sums of products of distances from both means.
    """

    images: Float64[np.ndarray, ""]
    activation: Moments
    probability: Moments
    products: Float64[np.ndarray, "units classes"]


def class_correlation(activation: Any, probability: Any) -> Float64[np.ndarray, "units classes"]:
    """Pearson's correlation of units with predicted probabilities (Zhou et al. 2018, eq. 2).

    Args:
      activation: `[images, units]`.
      probability: `[images, classes]`.

    Returns:
      `[units, classes]`; 0 for a unit or a probability that is the same on all images.

    Raises:
      InputError: the numbers of images differ, or there are none.
    """
    a = real_array(activation, "activations").astype(np.float64)
    p = real_array(probability, "probabilities").astype(np.float64)
    if a.ndim != 2 or p.ndim != 2 or len(a) != len(p) or len(a) == 0:
        raise InputError(
            f"activations of shape {a.shape} and probabilities of shape {p.shape}: give "
            "[images, units] and [images, classes] of the same images"
        )
    return _correlation(_comoments(a, p))


def _comoments(
    activation: Float64[np.ndarray, "images units"],
    probability: Float64[np.ndarray, "images classes"],
) -> Comoments:
    of_units, of_classes = _moments(activation), _moments(probability)
    return Comoments(
        images=np.asarray(float(len(activation))),
        activation=of_units,
        probability=of_classes,
        products=(activation - of_units.mean).T @ (probability - of_classes.mean),
    )


def _moments(values: Float64[np.ndarray, "images variables"]) -> Moments:
    mean = values.mean(0)
    return Moments(mean, ((values - mean) ** 2).sum(0), values.min(0), values.max(0))


def _merge(one: Comoments, other: Comoments) -> Comoments:
    """Chan, Golub and LeVeque's update, which is numerically stable."""
    images = one.images + other.images
    share, weight = other.images / images, one.images * other.images / images
    apart = (
        other.activation.mean - one.activation.mean,
        other.probability.mean - one.probability.mean,
    )
    return Comoments(
        images=images,
        activation=_merged(one.activation, other.activation, apart[0], share, weight),
        probability=_merged(one.probability, other.probability, apart[1], share, weight),
        products=one.products + other.products + np.outer(weight * apart[0], apart[1]),
    )


def _merged(one: Moments, other: Moments, apart: Any, share: Any, weight: Any) -> Moments:
    return Moments(
        mean=one.mean + apart * share,
        squares=one.squares + other.squares + apart**2 * weight,
        low=np.minimum(one.low, other.low),
        high=np.maximum(one.high, other.high),
    )


def _correlation(state: Comoments) -> Float64[np.ndarray, "units classes"]:
    activation, probability = state.activation, state.probability
    # The variance of equal numbers may be a little above 0, by rounding of their mean.
    varies = np.outer(activation.low < activation.high, probability.low < probability.high)
    spread = np.outer(np.sqrt(activation.squares), np.sqrt(probability.squares))
    varies &= spread > 0
    return np.divide(state.products, spread, out=np.zeros_like(spread), where=varies)


def _observe(seen: Seen) -> Comoments:
    return _comoments(
        np.asarray(seen.units.activation, np.float64), np.asarray(seen.probability, np.float64)
    )


def _finish(state: Comoments) -> dict[str, xr.Variable]:
    vector = _correlation(state)
    return {
        "class_correlation_by_class": variable(
            ("unit", "class"), vector, "", "class correlation, Zhou et al. 2018, eq. 2"
        ),
        "class_correlation": variable(
            ("unit",), vector.max(1), "", "largest class correlation over the classes"
        ),
    }


correlation = Collector(Comoments, _observe, _merge, _finish)
