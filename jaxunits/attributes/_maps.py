"""What the units of a layer answer, as maps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, PyTree

from .._errors import InputError
from .._programs import kept
from ..networks import Classifier, MaskedFunction, check_readable


@dataclass(frozen=True, eq=False)
class UnitMaps:
    """A layer's maps, from preprocessed images.

    Attributes:
      network: the network.
      layer: the layer's name.
      function: `(params, images) → [images, height, width, units]`, compiled.
      size: rows and columns of the maps; 1 and 1 of a dense layer.
      units: how many units there are.
    """

    network: Classifier
    layer: str
    function: Callable[[PyTree, Array], Array]
    size: tuple[int, int]
    units: int

    @classmethod
    def of(cls, network: Classifier, layer: str) -> UnitMaps:
        """The maps of a layer.

        Raises:
          InputError: there is no such layer, the network does not show its activations, or they are
            no maps.
        """
        units = network.layer(layer).units
        check_readable(network, layer)
        layer = network.layer(layer).name
        maps = _maps(network.function, layer)
        shape = (1, *network.preprocessing.size, network.preprocessing.channels)
        images = jax.ShapeDtypeStruct(shape, jnp.float32)
        found = jax.eval_shape(maps, network.params, images).shape
        if len(found) != 4:
            raise InputError(
                f"layer {layer!r} of network {network.name!r} gives {found[1:]} an image: maps of "
                "rows and columns are needed, or one value a unit"
            )
        return cls(network, layer, maps, (found[1], found[2]), units)

    def __call__(
        self, images: Float32[np.ndarray, "images rows columns channels"], first: int
    ) -> Float[Array, "images height width units"]:
        """The maps of preprocessed images, of which `first` is the first one's number.

        Raises:
          InputError: they are not finite.
        """
        maps = self.function(self.network.params, jnp.asarray(images))
        if not bool(jnp.isfinite(maps).all()):
            raise InputError(
                f"layer {self.layer!r} of network {self.network.name!r} gives numbers that are not "
                f"finite on images {first} to {first + len(images) - 1}: check its weights"
            )
        return maps


@kept
def _maps(function: MaskedFunction, layer: str) -> Callable[[PyTree, Array], Array]:
    @jax.jit
    def maps(params: PyTree, images: Array) -> Array:
        with jax.default_matmul_precision("highest"):
            answers = function.activations(params, images, layer).astype(jnp.float32)
        return answers[:, None, None, :] if answers.ndim == 2 else answers

    return maps
