"""The activations of a layer's units, as maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from .._errors import InputError
from ..execution import Look
from ..networks import Classifier
from ..networks._checks import check_readable
from ..networks._function import MaskedFunction


@dataclass(frozen=True)
class Maps(Look):
    """A function of parameters and images: a layer's maps, of some units or of all.

    Attributes:
      function: the network.
      layer: the layer's name.
    """

    function: MaskedFunction
    layer: str

    def __call__(
        self, params: PyTree, inputs: Any, arguments: PyTree
    ) -> Float[Array, "images rows columns units"]:
        """Maps of the units that the extra array names; of all units without one.

        A dense layer's are 1×1, those of tokens have one column.
        """
        maps = self.function.activations(params, inputs.images, self.layer).astype(jnp.float32)
        if maps.ndim == 3:
            maps = maps[:, :, None, :]
        maps = maps if maps.ndim == 4 else maps[:, None, None, :]
        return maps if isinstance(arguments, tuple) else maps[..., arguments]


@dataclass(frozen=True, eq=False)
class UnitMaps:
    """A layer whose units have maps.

    Attributes:
      network: the network.
      layer: the layer's name.
      size: rows and columns of the maps; 1 and 1 of a dense layer.
      units: how many units there are.
    """

    network: Classifier
    layer: str
    size: tuple[int, int]
    units: int

    @property
    def look(self) -> Maps:
        """The maps of all units."""
        return Maps(self.network.function, self.layer)

    @classmethod
    def of(cls, network: Classifier, layer: str) -> UnitMaps:
        """The maps of a layer.

        Raises:
          InputError: there is no such layer, the network does not show its activations, or they are
            not maps.
        """
        place = network.layer(layer)
        check_readable(network, layer)
        shape = place.map_shape or (1, 1)
        if place.map_shape and not place.has_maps:
            given = (*shape, place.num_units)
            raise InputError(
                f"layer {place.name!r} of network {network.name!r} gives {given} per image: "
                "maps of rows and columns are needed, or one value per unit"
            )
        return cls(network, place.name, (shape[0], shape[1]), place.num_units)
