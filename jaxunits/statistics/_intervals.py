"""Intervals of accuracy drops, from the same images before and after."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy
from jaxtyping import Float64

from .._arguments import check_real, real_array
from .._errors import InputError

_STEP = 1e-9
# To the last bit of float64.
_HALVINGS = 54


def paired_interval(
    broken: Any, repaired: Any, n_images: Any, *, level: float = 0.95
) -> tuple[Float64[np.ndarray, "*shape"], Float64[np.ndarray, "*shape"]]:
    """The score interval of an accuracy drop on the same images before and after (Tango 1998).

    It keeps its level if few images change, unlike a bootstrap of such counts, and is not empty
    if none does.

    Args:
      broken: images that are right before and wrong after.
      repaired: images that are wrong before and right after.
      n_images: all images.
      level: the share of intervals that hold the true drop.

    Returns:
      Lower and upper end, as shares of images; NaN where there are no images.

    Raises:
      InputError: the counts are impossible, or the level is not between 0 and 1.
    """
    b, c, n = checked_counts(broken, repaired, n_images)
    check_real(level=level)
    if not 0 < level < 1:
        raise InputError(f"level={level}: give a number between 0 and 1")
    quantile = scipy.special.ndtri((1 + level) / 2)
    # A sweep has few different counts, each in many pairs.
    by_counts = pd.DataFrame(np.stack([b, c, n], -1).reshape(-1, 3)).groupby([0, 1, 2])
    place = by_counts.ngroup().to_numpy().reshape(b.shape)
    b, c, n = by_counts.size().index.to_frame().to_numpy().T
    low, high = (_end(b, c, n, limit, quantile) for limit in (-1.0, 1.0))
    return np.asarray(low[place]), np.asarray(high[place])


def checked_counts(
    broken: Any, repaired: Any, n_images: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts as arrays of one shape.

    Raises:
      InputError: one is negative, NaN or not a number, shapes do not match, or more images changed
        than there are.
    """
    given = [
        real_array(each, name).astype(np.float64)
        for name, each in (("broken", broken), ("repaired", repaired), ("n_images", n_images))
    ]
    try:
        b, c, n = np.broadcast_arrays(*given)
    except ValueError as error:
        shapes = ", ".join(str(each.shape) for each in given)
        raise InputError(
            f"broken, repaired and n_images of shapes {shapes}: give shapes that broadcast"
        ) from error
    # NaN is in no order.
    wrong = np.flatnonzero(~((b >= 0) & (c >= 0) & (b + c <= n) & np.isfinite(b + c)))
    if len(wrong):
        first = wrong[0]
        raise InputError(
            f"{b.ravel()[first]:g} broken and {c.ravel()[first]:g} repaired of "
            f"{n.ravel()[first]:g} images: give non-negative counts, together at most all images"
        )
    return b, c, n


def _end(
    b: np.ndarray, c: np.ndarray, n: np.ndarray, limit: float, quantile: float
) -> Float64[np.ndarray, " counts"]:
    """Where the score statistic reaches the quantile, between the drop and a limit."""
    drop = np.divide(b - c, n, out=np.full(b.shape, np.nan), where=n > 0)
    # At the drop itself the statistic is 0 over 0 where no image or every one changes.
    inner, outer = drop + limit * _STEP, np.full_like(drop, limit)
    for _ in range(_HALVINGS):
        middle = (inner + outer) / 2
        beyond = ((b - c) - n * middle) ** 2 > quantile**2 * _variance(middle, b, c, n)
        inner, outer = np.where(beyond, inner, middle), np.where(beyond, middle, outer)
    return np.where(drop == limit, limit, np.where(n > 0, outer, np.nan))


def _variance(
    share: np.ndarray, b: np.ndarray, c: np.ndarray, n: np.ndarray
) -> Float64[np.ndarray, "*shape"]:
    """Of b − c if the true drop is `share`, the share repaired by maximum likelihood."""
    linear = -b - c + (2 * n - b + c) * share
    constant = -c * share * (1 - share)
    root = np.sqrt(np.maximum(linear**2 - 8 * n * constant, 0))
    repaired = np.maximum((root - linear) / (4 * n), 0)
    return n * np.maximum(2 * repaired + share * (1 - share), 0)
