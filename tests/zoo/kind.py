"""A network of the zoo, and what a loop by hand finds out about it."""

import abc
import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

import jaxunits as ju

IMAGES = 40
CLASSES = 6
MEAN, STD = 0.45, 0.25


@dataclasses.dataclass(frozen=True, eq=False)
class Kind(abc.ABC):
    """A network of the zoo; what is found out about it does not come from the library.

    Attributes:
      network: as the library has it.
      layers: by name the axis of units in the layer's activations, in the order of the network.
    """

    network: Any
    layers: Mapping[str, int]

    @abc.abstractmethod
    def logits(self, changes=None, images=None):
        """Logits, and the activations of all layers `[images, ..., units]`.

        `changes` are, by layer, a matrix and a vector, or an array as the activations: a·M + c.
        """

    @abc.abstractmethod
    def units(self, layer):
        """How many units a layer has."""

    @abc.abstractmethod
    def loss_derivatives(self, layer):
        """Of each image's cross-entropy with respect to activations, `[images, ..., units]`."""

    @abc.abstractmethod
    def unit_derivatives(self, layer, images, weights):
        """Of weighted sums of units with respect to standardized images, of their shape.

        Each image has weights of its own, `[images, units]`. What a unit answers to an image is
        the mean of its map.
        """

    @functools.cached_property
    def images(self):
        """As the network reads them."""
        return standardized(_pixels(self.network.preprocessing))

    @functools.cached_property
    def data(self):
        """The images with the network's own predictions, every fourth of which is another."""
        guesses = self.logits()[0].argmax(1)
        labels = np.where(np.arange(IMAGES) % 4 == 1, (guesses + 1) % CLASSES, guesses)
        names = [f"class {number}" for number in range(CLASSES)]
        pixels = _pixels(self.network.preprocessing)
        return ju.data.load((pixels, labels), "validation", class_names=names)

    @property
    def labels(self):
        return np.asarray(self.data.labels)

    def under(self, masks, values=None):
        """Logits `[images, classes]` with masks, and values of ablated units, by layer.

        Values are `[units]` or as the activations, `[images, ..., units]`.
        """
        changes = {}
        for layer, mask in masks.items():
            kept = np.asarray(mask, np.float32)
            value = np.zeros(len(kept)) if values is None or layer not in values else values[layer]
            changes[layer] = (np.diag(kept), ((1 - kept) * value).astype(np.float32))
        return self.logits(changes)[0]

    def without_directions(self, layer, basis, mask):
        """Logits without some coordinates of a rotated basis."""
        gone = np.diag(1 - np.asarray(mask, np.float64))
        matrix = np.eye(len(basis)) - basis.astype(np.float64) @ gone @ basis.T.astype(np.float64)
        return self.logits({layer: (matrix.astype(np.float32), np.zeros(len(basis), "float32"))})[0]

    def activations(self, layer):
        return np.asarray(self.logits()[1][layer], np.float64)


def preprocessing(side, channels=3):
    return ju.data.Preprocessing(size=(side, side), channels=channels, mean=(MEAN,), std=(STD,))


@functools.cache
def _pixels(expected):
    """Colored blobs on noise: images that differ in more than noise."""
    random = np.random.default_rng(7)
    side, channels = expected.size[0], expected.channels
    coarse = random.uniform(0, 200, (IMAGES, 4, 4, channels))
    noise = random.uniform(0, 55, (IMAGES, side, side, channels))
    return (np.kron(coarse, np.ones((1, side // 4, side // 4, 1))) + noise).astype(np.uint8)


def standardized(pixels):
    return ((pixels / 255 - MEAN) / STD).astype(np.float32)


def drawn(path, shape, random):
    """A parameter that is neither zero nor one, by the last word of its path."""
    name = path[-1]
    if name in ("kernel", "w"):
        return random.normal(size=shape) * np.sqrt(2 / np.prod(shape[:-1]))
    if name in ("scale", "gamma"):
        return random.uniform(0.5, 1.5, shape)
    if name == "var":
        return random.uniform(0.5, 2, shape)
    return random.normal(size=shape) * 0.3
