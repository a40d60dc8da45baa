"""Where a network has units."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Layer:
    """A place of a network where units can be read and masked.

    Attributes:
      name: the layer's name in its network.
      units: how many channels or neurons it has; they are the last axis of its activations.
      map_shape: the shape of one unit's map, `(height, width)`; empty for a dense layer, None where
        it is not known.
    """

    name: str
    units: int
    map_shape: tuple[int, ...] | None
