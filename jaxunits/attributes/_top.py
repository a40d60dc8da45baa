"""The images that activate each unit most."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float32, Int64

from ._collector import Collector, variable
from ._seen import Seen


class Top(NamedTuple):
    """The top images among some images.

    Attributes:
      activation: falling.
      image: indices into the data set; ties go to the first.
    """

    activation: Float32[np.ndarray, "units ranks"]
    image: Int64[np.ndarray, "units ranks"]


def top(count: int) -> Collector[Top]:
    """The collector of the `count` images that activate each unit most."""

    def observe(seen: Seen) -> Top:
        values = np.asarray(seen.units.activation, np.float32).T
        return best(values, np.broadcast_to(seen.image, values.shape))

    def merge(one: Top, other: Top) -> Top:
        return best(*(np.concatenate(pair, axis=1) for pair in zip(one, other, strict=True)))

    def best(activation: np.ndarray, image: np.ndarray) -> Top:
        order = np.lexsort((image, -activation), axis=1)[:, :count]
        return Top(
            activation=np.take_along_axis(activation, order, 1),
            image=np.take_along_axis(image, order, 1).astype(np.int64),
        )

    def finish(state: Top) -> dict[str, xr.Variable]:
        ranks = ("unit", "rank")
        return {
            "top_image": variable(ranks, state.image, "", "images that activate the unit most"),
            "top_activation": variable(ranks, state.activation, "", "activation on these images"),
        }

    return Collector(Top, observe, merge, finish)
