"""From birth points to how well a unit represents a class."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy
from jaxtyping import Float64, Int, Int64

from .._arguments import as_array, real_array
from .._errors import InputError
from .._kinds import checks_kinds
from ._conventions import convention_of

_THRESHOLD = {"paper": 0.1, "authors": 0.0}
_SMALLEST_RATIO = 0.1


def selective_rate(births: Any) -> Float64[np.ndarray, " units"]:
    """ε: the share of images on which a unit has a birth point (Zhao and Zhang 2021, §3.3).

    Args:
      births: birth points on images of one class, `[images, units]`; 0 for none.

    Returns:
      `[units]`, from 0 to 1.

    Raises:
      InputError: these are not birth points, or there are no images.
    """
    return (_checked(births) > 0).mean(0)


def feature_entropy(births: Any) -> Float64[np.ndarray, " units"]:
    r"""H: the entropy of a unit's birth points over the images that have one, in nats (eq. 8).

    $$H = -\sum_x P(x) \ln P(x)$$

    Equation 8 of Zhao and Zhang 2021.

    0 for a unit whose birth points are all equal, and for one that has none or one.

    Args:
      births: as for `selective_rate`.

    Returns:
      `[units]`, in nats.

    Raises:
      InputError: as `selective_rate`.
    """
    return np.asarray([_entropy(unit[unit > 0]) for unit in _checked(births).T], np.float64)


@checks_kinds
def effectiveness(
    births: Any, *, p: float | None = None, convention: str = "paper"
) -> Float64[np.ndarray, " units"]:
    r"""E: how well each unit represents the class of the images (Zhao and Zhang 2021, eq. 10).

    $$E = \varepsilon / H \text{ where } \varepsilon \geq p, \text{ else } 0$$

    ε / H if ε ≥ p, otherwise 0. If all birth points of a unit are equal, H is 0 and the paper
    leaves E open: here it is 0 for a unit with a birth point on fewer than two images, otherwise ε
    over the smallest positive entropy possible for this number of images, that of one image that
    differs from all others.

    Args:
      births: as for `selective_rate`.
      p: the selective rate below which a unit is not effective; by default 0.1, and 0 for
        `"authors"`, whose code has no such threshold.
      convention: `"authors"` gives 0 where H / ε < 0.1, as their code puts such units last,
        including those without birth points.

    Returns:
      `[units]`, at least 0.

    Raises:
      InputError: as `selective_rate`; p is outside 0 to 1, or the convention is unknown.
    """
    convention_of(convention)
    threshold = _THRESHOLD[convention] if p is None else p
    if not 0 <= threshold <= 1:
        raise InputError(f"p={p}: give a share of images, from 0 to 1")
    values = _checked(births)
    rate, entropy = selective_rate(values), feature_entropy(values)
    if convention == "authors":
        effective = (rate >= threshold) & (rate > 0) & (entropy >= _SMALLEST_RATIO * rate)
    else:
        effective = (rate >= threshold) & ((values > 0).sum(0) >= 2)
        entropy = np.where(entropy > 0, entropy, _smallest_entropy(len(values)))
    return np.divide(rate, entropy, out=np.zeros_like(rate), where=effective)


def importance_order(effectiveness: Any) -> Int64[np.ndarray, " units"]:
    """Units by falling effectiveness; ties by index (Zhao and Zhang 2021, §3.4).

    Args:
      effectiveness: one number per unit, such as a mean over sets of images.

    Returns:
      `[units]`, numbers of units, the most effective first.

    Raises:
      InputError: this is not one number per unit, or one is NaN.
    """
    values = real_array(effectiveness, "effectiveness").astype(np.float64)
    if values.ndim != 1:
        raise InputError(f"effectiveness of shape {list(values.shape)}: give one number per unit")
    wrong = np.flatnonzero(np.isnan(values))
    if len(wrong):
        raise InputError(f"effectiveness of unit {wrong[0]} is NaN: leave the unit out")
    return np.argsort(-values, kind="stable")


def _entropy(births: Int[np.ndarray, " images"]) -> float:
    """Of the values' frequencies; memory does not depend on how large they are."""
    counts = np.unique(births, return_counts=True)[1]
    return float(scipy.special.entr(counts / max(1, len(births))).sum())


def _smallest_entropy(images: int) -> float:
    """Of any two or more values of so many images that are not all equal."""
    return float(scipy.special.entr([1 / images, 1 - 1 / images]).sum()) if images > 1 else 1.0


def _checked(births: Any) -> Int[np.ndarray, "images units"]:
    values = as_array(births, "birth points")
    if values.ndim != 2 or not len(values):
        raise InputError(
            f"birth points of shape {list(values.shape)}: give [images, units], with at least one "
            "image"
        )
    if not np.issubdtype(values.dtype, np.integer):
        raise InputError(f"birth points of type {values.dtype}: give integers, 0 for none")
    if values.min(initial=0) < 0:
        image, unit = np.argwhere(values < 0)[0]
        raise InputError(
            f"birth point {values[image, unit]} of image {image}, unit {unit}: give "
            "non-negative numbers, 0 for none"
        )
    return values
