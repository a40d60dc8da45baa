"""Where a network has units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int64

from .._arguments import whole_array
from .._errors import InputError, unknown_name


@dataclass(frozen=True)
class Layer:
    """A hook point of a network, where units can be read and masked.

    Attributes:
      name: the layer's name in its network.
      num_units: how many channels or neurons it has; they are the last axis of its activations.
      map_shape: the shape of one unit's map: `(height, width)`, `(tokens,)`, empty for a dense
        layer; None where it is not known.
      unit_is: `"post-activation"` if the unit is the output of a non-linearity, otherwise
        `"pre-activation"`; `"unknown"` if the map is unknown.
      aliases: other modules that end in the same units, such as the batch norm that follows.
      has_maps: whether a unit's map has rows and columns, which lie over the image; not where its
        two axes are something else, such as tokens and the features of a head.
    """

    name: str
    num_units: int
    map_shape: tuple[int, ...] | None
    unit_is: str = "post-activation"
    aliases: tuple[str, ...] = ()
    has_maps: bool = False

    def chosen(self, units: Any) -> Int64[np.ndarray, " chosen"]:
        """Some of the layer's units, in the order given; all for None.

        Raises:
          InputError: there are none, one is not an integer or not of the layer, or comes twice.
        """
        if units is None:
            return np.arange(self.num_units)
        place = f" of layer {self.name!r}"
        numbers = whole_array(units, "units", place)
        if numbers.size == 0:
            raise InputError(f"no units{place}: give at least one, or None for all")
        if numbers.ndim != 1:
            raise InputError(f"units of shape {numbers.shape}{place}: give a list, such as [3, 5]")
        for unit in numbers[(numbers < 0) | (numbers >= self.num_units)]:
            raise InputError(f"unit {unit}{place}: it has units 0 to {self.num_units - 1}")
        values, times = np.unique(numbers, return_counts=True)
        for unit in values[times > 1]:
            raise InputError(f"unit {unit}{place} comes twice: give it once")
        return numbers


def find_layer(layers: Mapping[str, Layer], name: Any, place: str) -> Layer:
    """A layer by its name.

    Args:
      layers: the existing layers.
      name: what was given.
      place: whose layers they are, such as `"network 'convnet'"`.

    Raises:
      InputError: this is not a name, or there is no such layer; the nearest name is offered.
    """
    if not isinstance(name, str):
        raise InputError(
            f"layer of type {type(name).__name__}: give the name of one layer of {place}, such as "
            f"{next(iter(layers), 'conv1')!r}"
        )
    if name not in layers:
        raise unknown_name("layer", name, layers, place)
    return layers[name]
