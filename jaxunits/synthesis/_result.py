"""From images to a labeled result: the best start of each unit, and what is not shown."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Float32, Int32

# What the mean of the objective has to gain, from one tenth of the steps to the next, to rise.
_RISE = 0.01

_DESCRIPTIONS = {
    "image": "pixels from 0 to 1, red before green before blue",
    "standardized": "what the network read",
    "activation": "activation of the unit on its image",
    "objective": "what was maximized, on the image",
    "response": "activations of all units of the layer on the image",
    "active": "whether the unit responds to its image",
    "rising": "whether the objective gained more than 1 % over the last tenth of the steps",
    "ascent": "the objective before every step, and at the end",
    "objective_of_start": "the objective on the image of every start",
    "best_start": "the start whose image was kept",
}


class Climbed(NamedTuple):
    """All images of all units.

    Attributes:
      ascent: the objectives before every step.
      image: pixels from 0 to 1.
      standardized: what the network read.
      response: the activations of all units of the layer.
      objective: of the unit, on its image.
    """

    ascent: Float32[np.ndarray, "images steps"]
    image: Float[np.ndarray, "images height width channels"]
    standardized: Float[np.ndarray, "images height width channels"]
    response: Float[np.ndarray, "images responding_units"]
    objective: Float[np.ndarray, " images"]


def labeled(
    climbed: Climbed,
    units: Int32[np.ndarray, " units"],
    starts: int,
) -> xr.Dataset:
    """The best start of each unit; images and responses of units that do not respond are NaN."""
    own = np.take_along_axis(climbed.response, np.repeat(units, starts)[:, None], 1)[:, 0]
    by_start = (len(units), starts)
    best = _best((own != 0).reshape(by_start), climbed.objective.reshape(by_start))
    kept = np.arange(len(units)) * starts + best
    active = own[kept] != 0
    picture = ("unit", "height", "width", "channel")

    def shown(arrays: np.ndarray) -> np.ndarray:
        hidden = active.reshape(-1, *[1] * (arrays.ndim - 1))
        return np.where(hidden, arrays[kept], np.float32(np.nan))

    ascent = np.column_stack([climbed.ascent, climbed.objective])[kept]
    result = xr.Dataset(
        {
            "image": (picture, shown(climbed.image)),
            "standardized": (picture, shown(climbed.standardized)),
            "activation": ("unit", own[kept]),
            "objective": ("unit", climbed.objective[kept]),
            "response": (("unit", "responding_unit"), shown(climbed.response)),
            "active": ("unit", active),
            "rising": ("unit", _rising(ascent)),
            "ascent": (("unit", "step"), ascent),
            "objective_of_start": (("unit", "start"), climbed.objective.reshape(by_start)),
            "best_start": ("unit", best),
        },
        coords={
            "unit": units,
            "responding_unit": np.arange(climbed.response.shape[1]),
            "start": np.arange(starts),
            "step": np.arange(ascent.shape[1]),
        },
    )
    for name, description in _DESCRIPTIONS.items():
        result[name].attrs["long_name"] = description
    return result


def _best(
    active: Bool[np.ndarray, "units starts"], objective: Float[np.ndarray, "units starts"]
) -> np.ndarray:
    """The start with the largest objective, of those that the unit responds to if there are any."""
    return np.where(active | ~active.any(1, keepdims=True), objective, -np.inf).argmax(1)


def _rising(ascent: Float[np.ndarray, "units points"]) -> Bool[np.ndarray, " units"]:
    """Whether the last tenth of the steps is above the tenth before."""
    # The last point is of the image that was not moved, which says nothing beside moved ones.
    steps = ascent[:, :-1] if ascent.shape[1] > 2 else ascent
    tenth = max(1, steps.shape[1] // 10)
    last = steps[:, -tenth:].mean(1)
    before = steps[:, -2 * tenth : -tenth].mean(1)
    return last - before > _RISE * np.abs(last)
