"""The papers' networks with random weights that keep activations alive."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

import jaxunits as ju
from jaxunits.data import Preprocessing
from jaxunits.networks import Classifier


def alexnet(classes: int = 365, *, size: int = 224, narrow: int = 1, seed: int = 0) -> Classifier:
    """AlexNet; at 224 pixels nothing has to be averaged before `fc6`.

    Args:
      classes: how many classes it tells apart.
      size: height and width of its images in pixels.
      narrow: every width is divided by it.
      seed: of the weights.
    """
    images = Preprocessing((size, size), 3)
    return with_random_weights(
        lambda: ju.networks.alexnet(classes, width=1 / narrow, preprocessing=images), seed
    )


def vgg16(classes: int = 1000, *, size: int = 224, narrow: int = 1, seed: int = 0) -> Classifier:
    """VGG16 without batch norm; see `alexnet` for the arguments."""
    images = Preprocessing((size, size), 3)
    return with_random_weights(
        lambda: ju.networks.vgg16(classes, width=1 / narrow, preprocessing=images), seed
    )


def resnet18(classes: int = 1000, *, size: int = 224, narrow: int = 1, seed: int = 0) -> Classifier:
    """ResNet18; see `alexnet` for the arguments."""
    images = Preprocessing((size, size), 3)
    return with_random_weights(
        lambda: ju.networks.resnet18(classes, width=1 / narrow, preprocessing=images), seed
    )


def convnet32() -> Classifier:
    """The library's conv net of 32×32 images, with pools after `conv2` and `conv4`."""
    return ju.networks.convnet(10)


def with_random_weights(build: Callable[[], Classifier], seed: int) -> Classifier:
    """He normal kernels, small biases, and running averages as after some training.

    Drawn with NumPy, so that nothing is compiled for it.
    """
    random = np.random.default_rng(seed)

    def draw(name: str, shape: tuple[int, ...]) -> Any:
        match name.rpartition(".")[2]:
            case "kernel":
                values = random.standard_normal(shape, np.float32)
                values *= math.sqrt(2 / math.prod(shape[:-1]))
                return values
            case "var":
                return random.uniform(0.5, 2, shape)
            case "scale":
                return random.uniform(0.5, 1.5, shape)
        return random.normal(0, 0.1, shape)

    network = build()
    arrays = ju.networks.arrays(network)
    drawn = {name: jnp.asarray(draw(name, arrays[name].shape), "float32") for name in arrays}
    return ju.networks.with_arrays(network, drawn)
