"""What the derivative of the loss says about a unit: attributes from one backward pass."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float64, Int64

from ..execution import added
from ._collector import Collector, class_sums, counts_of, variable
from ._seen import Seen


class Derivatives(NamedTuple):
    """Sums over some images.

    Attributes:
      images: of each class.
      sums: of ∂loss/∂mask over each class.
      sizes: of its absolute value.
    """

    images: Int64[np.ndarray, " classes"]
    sums: Float64[np.ndarray, "units classes"]
    sizes: Float64[np.ndarray, "units classes"]


def _observe(seen: Seen) -> Derivatives:
    classes = seen.probability.shape[1]
    found = np.asarray(seen.units.gradient, np.float64)
    return Derivatives(
        counts_of(seen.labels, classes),
        class_sums(seen.labels, found, classes),
        class_sums(seen.labels, np.abs(found), classes),
    )


def _finish(state: Derivatives) -> dict[str, xr.Variable]:
    images = np.where(state.images > 0, state.images, np.nan)
    every = state.images.sum()
    pairs, unit, measure = ("unit", "class"), ("unit",), "nats per image"
    change = "first-order Taylor estimate of the loss's change when the unit is ablated"
    return {
        "taylor": variable(unit, -state.sums.sum(1) / every, measure, change),
        "taylor_by_class": variable(pairs, -state.sums / images, measure, f"{change}, by class"),
        "gradient": variable(
            unit, state.sizes.sum(1) / every, measure, "mean |∂loss/∂mask| over the images"
        ),
        "gradient_by_class": variable(
            pairs, state.sizes / images, measure, "mean |∂loss/∂mask| over the class's images"
        ),
    }


derivatives = Collector(Derivatives, _observe, added, _finish)
