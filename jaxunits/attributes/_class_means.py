"""Class means and the class selectivity that follows from them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float64, Int64

from ..execution import added
from ._collector import Collector, class_sums, counts_of, variable
from ._seen import Seen
from ._selectivity import class_selectivity


class ClassSums(NamedTuple):
    """Sums over some images.

    Attributes:
      images: of each class.
      sums: of activations over each class.
    """

    images: Int64[np.ndarray, " classes"]
    sums: Float64[np.ndarray, "units classes"]


def _observe(seen: Seen) -> ClassSums:
    classes = seen.probability.shape[1]
    return ClassSums(
        counts_of(seen.labels, classes),
        class_sums(seen.labels, np.asarray(seen.units.activation), classes),
    )


def class_means(weigh: str) -> Collector[ClassSums]:
    """The collector of class selectivity.

    Args:
      weigh: what has equal weight in the mean over the other classes: `"classes"` or `"images"`.
    """

    def finish(state: ClassSums) -> dict[str, xr.Variable]:
        present = state.images > 0
        means = state.sums / np.maximum(state.images, 1)
        vector = class_selectivity(
            means,
            present=present,
            weights=state.images.astype(np.float64) if weigh == "images" else None,
        )
        preferred = np.where(present, means, -np.inf).argmax(1)
        signed = (
            "; not limited to 0 to 1: some class means are negative" if (means < 0).any() else ""
        )
        pairs = ("unit", "class")
        return {
            "class_mean": variable(
                pairs,
                np.where(present, means, np.nan),
                "",
                "mean activation over the images of the class",
            ),
            "class_selectivity_by_class": variable(
                pairs, vector, "", f"class selectivity, Zhou et al. 2018, eq. 3{signed}"
            ),
            "class_selectivity": variable(
                ("unit",),
                np.take_along_axis(vector, preferred[:, None], 1)[:, 0],
                "",
                f"class selectivity for the class with the largest mean activation{signed}",
            ),
        }

    return Collector(ClassSums, _observe, added, finish)
