"""The papers' networks with random weights that keep activations alive."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

import jaxunits as ju
from jaxunits.data import Preprocessing
from jaxunits.networks import Network


def alexnet(classes: int = 365, *, size: int = 224, narrow: int = 1, seed: int = 0) -> Network:
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


def vgg16(classes: int = 1000, *, size: int = 224, narrow: int = 1, seed: int = 0) -> Network:
    """VGG16 without batch norm; see `alexnet` for the arguments."""
    images = Preprocessing((size, size), 3)
    return with_random_weights(
        lambda: ju.networks.vgg16(classes, width=1 / narrow, preprocessing=images), seed
    )


def resnet18(classes: int = 1000, *, size: int = 224, narrow: int = 1, seed: int = 0) -> Network:
    """ResNet18; see `alexnet` for the arguments."""
    images = Preprocessing((size, size), 3)
    return with_random_weights(
        lambda: ju.networks.resnet18(classes, width=1 / narrow, preprocessing=images), seed
    )


def convnet32() -> Network:
    """The library's conv net of 32×32 images, with pools after `conv2` and `conv4`."""
    return ju.networks.convnet(10)


def with_random_weights(build: Callable[[], Network], seed: int) -> Network:
    """He normal kernels, small biases, and running averages as after some training.

    Drawn with NumPy, so that nothing is compiled for it.
    """
    random = np.random.default_rng(seed)

    def draw(path: Any, leaf: jax.ShapeDtypeStruct) -> jax.Array:
        match path[-1].key:
            case "kernel":
                values = random.standard_normal(leaf.shape, np.float32)
                values *= math.sqrt(2 / math.prod(leaf.shape[:-1]))
            case "var":
                values = random.uniform(0.5, 2, leaf.shape)
            case "scale":
                values = random.uniform(0.5, 1.5, leaf.shape)
            case _:
                values = random.normal(0, 0.1, leaf.shape)
        return jnp.asarray(values, leaf.dtype)

    graph, state = nnx.split(nnx.eval_shape(build))
    values = jax.tree_util.tree_map_with_path(draw, nnx.to_pure_dict(state))
    nnx.replace_by_pure_dict(state, values)
    return nnx.merge(graph, state)
