"""What one pass records of images: the numbers that collectors read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Int32, Int64, PyTree

from ..execution import Images, Look, check_finite
from ..execution import Seen as BatchSeen
from ..networks import Classifier
from ..networks._checks import check_readable
from ..networks._function import MaskedFunction


class Units(NamedTuple):
    """The units of a layer on some images.

    Attributes:
      activation: what an image's activation is: the mean or the largest value of the map.
      largest: the largest value of the map.
      zeros: positions of the map that are zero.
      positions: of the map.
      gradient: derivative of the image's loss with respect to the unit's mask; None if not
        requested.
    """

    activation: Float32[Array | np.ndarray, "images units"]
    largest: Float32[Array | np.ndarray, "images units"]
    zeros: Int32[Array | np.ndarray, "images units"]
    positions: Int32[Array | np.ndarray, " images"]
    gradient: Float32[Array | np.ndarray, "images units"] | None = None


class Seen(NamedTuple):
    """Some images, with the activations of one layer and the predictions.

    Attributes:
      image: indices into the data set.
      labels: the images' classes.
      probability: of each class, as predicted.
      units: the layer's units.
    """

    image: Int64[np.ndarray, " images"]
    labels: Int32[np.ndarray, " images"]
    probability: Float32[np.ndarray, "images classes"]
    units: Units


@dataclass(frozen=True)
class UnitLook(Look):
    """A function of parameters and images: probabilities, and each layer's units.

    Equal for networks of equal builds, which can share compiled programs.

    Attributes:
      function: the network.
      layers: the layers, and how many units each has.
      activation: what an image's activation is: the map's `"mean"` or `"max"`.
      gradients: whether derivatives are wanted, which takes a backward pass too.
    """

    function: MaskedFunction
    layers: tuple[tuple[str, int], ...]
    activation: str
    gradients: bool

    def __call__(
        self, params: PyTree, inputs: Images, arguments: PyTree
    ) -> tuple[Array, dict[str, Units]]:
        """Probabilities, and each layer's units."""
        del arguments
        if self.gradients:
            return self._both_ways(params, jnp.asarray(inputs.images), jnp.asarray(inputs.labels))
        logits, units = self._units(params, jnp.asarray(inputs.images), {})
        return jax.nn.softmax(logits.astype(jnp.float32)), units

    def _units(
        self, params: PyTree, images: Array, masks: Mapping[str, Array]
    ) -> tuple[Array, dict[str, Units]]:
        names = [name for name, _ in self.layers]
        logits, answers = self.function.with_activations(params, images, names, masks)
        return logits, {name: _summary(answers[name], self.activation) for name in names}

    def _both_ways(
        self, params: PyTree, images: Array, labels: Array
    ) -> tuple[Array, dict[str, Units]]:
        masks = {name: jnp.ones(units) for name, units in self.layers}

        def loss(
            masks: Mapping[str, Array], image: Array, label: Array
        ) -> tuple[Array, tuple[Array, dict[str, Units]]]:
            logits, units = self._units(params, image[None], masks)
            scores = logits[0].astype(jnp.float32)
            kept = (jax.nn.softmax(scores), jax.tree.map(lambda leaf: leaf[0], units))
            return -jax.nn.log_softmax(scores)[label], kept

        # One image at a time, so that every image has a derivative of its own.
        backwards = jax.vmap(jax.grad(loss, has_aux=True), in_axes=(None, 0, 0))
        found, (probability, units) = backwards(masks, images, labels)
        return probability, {name: units[name]._replace(gradient=found[name]) for name in masks}


def look(
    network: Classifier,
    layers: Sequence[str],
    *,
    activation: str,
    gradients: bool,
) -> UnitLook:
    """What one pass records of a network's layers; the arguments are `UnitLook`'s.

    Raises:
      InputError: the network does not show its activations.
    """
    for name in layers:
        check_readable(network, name)
    sizes = tuple((name, network.layers[name].num_units) for name in layers)
    return UnitLook(network.function, sizes, activation, gradients)


def _summary(answers: Float[Array, "images *map units"], activation: str) -> Units:
    maps = answers.astype(jnp.float32).reshape(len(answers), -1, answers.shape[-1])
    largest = maps.max(1)
    return Units(
        activation=largest if activation == "max" else maps.mean(1),
        largest=largest,
        zeros=(maps == 0).sum(1, dtype=jnp.int32),
        positions=jnp.full(len(maps), maps.shape[1], jnp.int32),
    )


def joined(batches: Iterable[BatchSeen], data: str) -> dict[str, Seen]:
    """What was recorded of several batches, by layer.

    Raises:
      InputError: an activation, probability or derivative is not a number.
    """
    seen = list(batches)
    image = np.concatenate([part.image for part in seen])
    labels = np.concatenate([part.inputs.labels for part in seen])
    probability, layers = jax.tree.map(
        lambda *parts: np.concatenate(parts), *(part.found for part in seen)
    )
    for name, units in layers.items():
        for values in (units.largest, units.activation):
            check_finite(values, image, f"activation of layer {name!r}", data)
        if units.gradient is not None:
            check_finite(units.gradient, image, f"derivative at layer {name!r}", data)
    check_finite(probability, image, "probability of a class", data)
    return {name: Seen(image, labels, probability, units) for name, units in layers.items()}
