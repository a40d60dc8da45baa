"""An image classifier whose units can be masked: the type of every network here."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, PyTree

from .._arguments import is_real_type
from .._errors import InputError
from ..data import Preprocessing
from ..results import fingerprint
from ._architecture import Architecture
from ._function import MaskedFunction
from ._layer import Layer, find_layer
from ._masking import Masks, check_masks


@dataclass(frozen=True, eq=False, repr=False)
class Classifier:
    """An image classifier whose units can be masked.

    `network(images, masks)` is a pure function of parameters, images and masks, so `jax.vmap` over
    masks evaluates many ablations at once.

    Attributes:
      name: its name in messages and results.
      function: the network as a pure function of parameters, images and masks.
      params: every array that it depends on.
      preprocessing: what it expects of images.
      architecture: how to build it again; None if the library cannot.
    """

    name: str
    function: MaskedFunction
    params: PyTree
    preprocessing: Preprocessing
    architecture: Architecture | None = None

    def __repr__(self) -> str:
        layers = list(self.layers)
        shown = ", ".join(layers if len(layers) <= 8 else [*layers[:6], "…", layers[-1]])
        size = "×".join(map(str, self.preprocessing.size))
        return f"Classifier({self.name!r}, {size}, {self.classes} classes, layers: {shown})"

    @property
    def layers(self) -> Mapping[str, Layer]:
        """The layers that have units, in the order in which the network computes them."""
        return self._traced_layers

    @functools.cached_property
    def _traced_layers(self) -> Mapping[str, Layer]:
        return self.function.traced(self.params, self.example).layers()

    @functools.cached_property
    def classes(self) -> int:
        """The number of logits."""
        program = self.function.traced(self.params, self.example).program
        return int(program.outputs[0].aval.shape[-1])

    @property
    def example(self) -> jax.ShapeDtypeStruct:
        """The shape of two images."""
        shape = (2, *self.preprocessing.size, self.preprocessing.channels)
        return jax.ShapeDtypeStruct(shape, jnp.float32)

    @functools.cached_property
    def fingerprint(self) -> str:
        """The fingerprint of the parameters, see `ju.results.fingerprint`."""
        return fingerprint(self.params)

    @property
    def module(self) -> nnx.Module:
        """The NNX module with the network's parameters, in evaluation; a new one at every access.

        Raises:
          InputError: the network is not an NNX module.
        """
        build = getattr(self.function.forward, "module", None)
        if build is None:
            raise InputError(f"network {self.name!r} is not made of an NNX module")
        made: nnx.Module = build(self.params)
        return made

    def with_params(self, params: PyTree) -> Classifier:
        """The network with other parameters of the same shapes."""
        return dataclasses.replace(self, params=params)

    def layer(self, name: str) -> Layer:
        """A layer by its name or the name of another module that ends in the same units.

        Raises:
          InputError: there is no such layer; the nearest name is offered.
        """
        if isinstance(name, str):
            for layer in self.layers.values():
                if name in layer.aliases:
                    return layer
        return find_layer(self.layers, name, f"network {self.name!r}")

    def chosen_layers(self, layers: Any) -> list[str]:
        """The names of a layer, of several, or of all for None, in the network's order.

        Raises:
          InputError: there are none, or one does not exist.
        """
        given = self.layers if layers is None else layers
        given = [layers] if isinstance(layers, str) else given
        if not isinstance(given, Collection) or not len(given):
            raise InputError(
                f"layers={layers!r}: give the name of a layer, a list of at least one, or None for "
                "all"
            )
        chosen = {self.layer(name).name for name in given}
        return [name for name in self.layers if name in chosen]

    def __call__(
        self,
        images: Float[Array | np.ndarray, "images height width channels"],
        masks: Masks | None = None,
        values: Masks | None = None,
    ) -> Float[Array, "images classes"]:
        """Logits, with some units ablated.

        Args:
          images: preprocessed images.
          masks: for each layer with ablated units, one number per unit: 1 keeps it, 0 ablates it.
          values: for each of these layers, the values of its ablated units; zero by default.

        Raises:
          InputError: images or masks are not of the network's shape.
        """
        return self.with_activations(images, (), masks=masks, values=values)[0]

    def activations(
        self, images: Float[Array | np.ndarray, "images height width channels"], layer: str
    ) -> Float[Array, "images *map units"]:
        """The activations of a layer's units, after their non-linearity.

        Raises:
          InputError: there is no such layer, or it does not show its activations.
        """
        name = self.layer(layer).name
        return self.function.activations(self.params, self._checked(images), name)

    def with_activations(
        self,
        images: Float[Array | np.ndarray, "images height width channels"],
        layers: Sequence[str],
        *,
        masks: Masks | None = None,
        values: Masks | None = None,
    ) -> tuple[Float[Array, "images classes"], dict[str, Float[Array, "images ..."]]]:
        """Logits, and the activations of some layers on the way there, masked where they are.

        Args:
          images: preprocessed images.
          layers: the layers, in any order.
          masks: as in a call.
          values: as in a call.

        Raises:
          InputError: there is no such layer, or images or masks are not of the network's shape.
        """
        if isinstance(layers, str) or not isinstance(layers, Collection):
            raise InputError(f"layers={layers!r}: give a list of names of layers")
        for name in layers:
            self.layer(name)
        masks, values = ({} if each is None else each for each in (masks, values))
        for each in (masks, values):
            check_masks(each, self.layers.values(), f"network {self.name!r}")
        images = self._checked(images)
        return self.function.with_activations(self.params, images, layers, masks, values)

    def _checked(self, images: Any) -> Array | np.ndarray:
        expected = (*self.preprocessing.size, self.preprocessing.channels)
        kind = getattr(images, "dtype", None)
        if kind is None or not is_real_type(kind):
            raise InputError(
                f"images of type {kind or type(images).__name__} for network {self.name!r}: give "
                "an array of real numbers"
            )
        if images.shape[1:] != expected or not len(images):
            raise InputError(
                f"images of shape {images.shape} for network {self.name!r}: expected "
                f"[images, {', '.join(map(str, expected))}]"
            )
        return images if jnp.issubdtype(kind, jnp.floating) else jnp.asarray(images, jnp.float32)
