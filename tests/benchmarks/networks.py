"""Well-known networks as stages, with random weights that keep activations alive."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

import jaxunits as ju
from jaxunits.networks import (
    AveragePool,
    Branch,
    Convolution,
    Dense,
    Flatten,
    MaxPool,
    Merge,
    Network,
    Stage,
)

Stages = list[tuple[str, Stage]]


def alexnet(classes: int = 365, *, size: int = 224, narrow: int = 1, seed: int = 0) -> Network:
    """AlexNet in torchvision's layout; at 224 pixels its adaptive pool does nothing.

    Args:
      classes: how many classes it tells apart.
      size: height and width of its images in pixels.
      narrow: every width is divided by it.
      seed: of the weights.
    """
    widths = [3, *(width // narrow for width in (64, 192, 384, 256, 256))]
    shapes = [(11, 4, 2), (5, 1, 2), (3, 1, 1), (3, 1, 1), (3, 1, 1)]

    def build() -> Network:
        rngs = nnx.Rngs(0)
        stages: Stages = []
        for number, (side, strides, padding) in enumerate(shapes, start=1):
            channels = widths[number - 1 : number + 1]
            convolution = Convolution(*channels, side, strides=strides, padding=padding, rngs=rngs)
            stages.append((f"conv{number}", convolution))
            if number in (1, 2, 5):
                stages.append((f"pool{number}", MaxPool(3, strides=2)))
        return _classifier(stages, (4096 // narrow,) * 2, classes, size, rngs)

    return _with_random_weights(build, seed)


def vgg16(classes: int = 1000, *, size: int = 224, narrow: int = 1, seed: int = 0) -> Network:
    """VGG16 (configuration D) without batch norm; see `alexnet` for the arguments."""
    groups = [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)]

    def build() -> Network:
        rngs = nnx.Rngs(0)
        stages: Stages = []
        inputs = 3
        for group, (count, width) in enumerate(groups, start=1):
            outputs = width // narrow
            for number in range(1, count + 1):
                convolution = Convolution(inputs, outputs, padding=1, rngs=rngs)
                stages.append((f"conv{group}_{number}", convolution))
                inputs = outputs
            stages.append((f"pool{group}", MaxPool()))
        return _classifier(stages, (4096 // narrow,) * 2, classes, size, rngs)

    return _with_random_weights(build, seed)


def resnet18(classes: int = 1000, *, size: int = 224, narrow: int = 1, seed: int = 0) -> Network:
    """ResNet18 in torchvision's layout, two stages a block; see `alexnet` for the arguments.

    Block `layer1.0` is the stages `layer1.0.conv1`, whose units are inside the block, and
    `layer1.0`, whose units are the block's output.
    """
    widths = [width // narrow for width in (64, 64, 128, 256, 512)]

    def build() -> Network:
        rngs = nnx.Rngs(0)
        stem = _normalised(3, widths[0], 7, strides=2, padding=3, rngs=rngs)
        stages: Stages = [("conv1", stem), ("maxpool", MaxPool(3, strides=2, padding=1))]
        for group in range(1, 5):
            strides = 1 if group == 1 else 2
            inputs, outputs = widths[group - 1 : group + 1]
            stages += _block(f"layer{group}.0", inputs, outputs, strides, rngs)
            stages += _block(f"layer{group}.1", outputs, outputs, 1, rngs)
        stages.append(("avgpool", AveragePool(None)))
        stages.append(("fc", Dense(widths[-1], classes, activation=None, rngs=rngs)))
        return Network(stages, preprocessing=_imagenet(size))

    return _with_random_weights(build, seed)


def convnet32() -> Network:
    """The library's conv net of 32×32 images, with pools after `conv2` and `conv4`."""
    return ju.networks.convnet(10)


def _classifier(
    stages: Stages, hidden: Sequence[int], classes: int, size: int, rngs: nnx.Rngs
) -> Network:
    """Convolutional stages, then `flatten`, `fc6`, `fc7` and `fc8`."""
    stages = [*stages, ("flatten", Flatten())]
    # A network's classes are the last axis of what it gives, here the flattened numbers.
    inputs = Network(stages, preprocessing=_imagenet(size)).classes
    for number, outputs in enumerate(hidden, start=6):
        stages.append((f"fc{number}", Dense(inputs, outputs, rngs=rngs)))
        inputs = outputs
    stages.append(("fc8", Dense(inputs, classes, activation=None, rngs=rngs)))
    return Network(stages, preprocessing=_imagenet(size))


def _block(name: str, inputs: int, outputs: int, strides: int, rngs: nnx.Rngs) -> Stages:
    """The two stages of a residual block; the shortcut is projected where shapes change."""
    first = _normalised(inputs, outputs, 3, strides=strides, padding=1, rngs=rngs)
    second = _normalised(outputs, outputs, 3, padding=1, activation=None, rngs=rngs)
    projection = None
    if strides > 1 or inputs != outputs:
        projection = _normalised(
            inputs, outputs, 1, strides=strides, padding=0, activation=None, rngs=rngs
        )
    return [(f"{name}.conv1", Branch(first, projection)), (name, Merge(second))]


def _normalised(inputs: int, outputs: int, size: int, **settings: Any) -> Convolution:
    return Convolution(inputs, outputs, size, bias=False, batch_norm=True, **settings)


def _imagenet(size: int) -> ju.data.Preprocessing:
    return ju.data.Preprocessing((size, size), 3, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def _with_random_weights(build: Callable[[], Network], seed: int) -> Network:
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
