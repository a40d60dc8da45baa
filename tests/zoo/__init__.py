"""Small networks of many kinds, as their users write them, with random weights."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jaxunits as ju
from tests.zoo import attention, convolutional, functions, linen
from tests.zoo.jax_kind import JaxKind
from tests.zoo.kind import CLASSES, drawn, preprocessing

_SEED = 3


def _modules():
    return {
        "mixed": (convolutional.Mixed, convolutional.MIXED, 16),
        "convnext": (convolutional.ConvNext, convolutional.CONVNEXT, 32),
        "efficientnet": (convolutional.EfficientNet, convolutional.EFFICIENTNET, 16),
        "densenet": (convolutional.DenseNet, convolutional.DENSENET, 16),
        "transformer": (attention.VisionTransformer, attention.LAYERS, 16),
    }


KINDS = [*_modules(), "linen", "marked", "masked", "channels_first", "mobilenet"]

# A layer of each kind, and one behind or before it.
LAYERS = {
    "mixed": ("norm2", "conv1"),
    "convnext": ("blocks.0.expand", "stem_norm"),
    "efficientnet": ("block.depthwise", "top"),
    "densenet": ("layers.0.conv", "layers.1"),
    "transformer": ("blocks.0.attention.value", "blocks.0.up"),
    "linen": ("Bottleneck_1.Conv_1", "Bottleneck_0"),
    "marked": ("conv2", "hidden"),
    "masked": ("conv2", "hidden"),
    "channels_first": ("conv2", "hidden"),
    "mobilenet": ("features.1.conv.1.0", "features.3.0"),
}

# A layer of each kind whose units have square maps. None is a ReLU6, whose maps are constant where
# it is full: whether interpolated ones exceed that constant lies in the last bits.
MAPS = {name: layer for name, (layer, _) in LAYERS.items()}
MAPS |= {"transformer": "patches", "mobilenet": "features.2"}


@functools.cache
def kind(name):
    """A network of the zoo; skips the test where what it needs is not installed."""
    if name == "mobilenet":
        pytest.importorskip("torch", reason="PyTorch is not installed")
        from tests.zoo.torch_kind import mobilenet

        return mobilenet()
    if name in _modules():
        return _nnx(*_modules()[name])
    if name == "linen":
        return _linen()
    return _function(name)


def randomized(build, *arguments, seed=_SEED):
    """An NNX module with parameters and running statistics that are neither zero nor one."""
    module = nnx.eval_shape(lambda: build(*arguments, nnx.Rngs(0)))
    random = np.random.default_rng(seed)
    for path, variable in nnx.to_flat_state(nnx.state(module)):
        shape = variable.get_value().shape
        if isinstance(variable, nnx.RngKey):
            variable.set_value(jax.random.key(seed))
        elif isinstance(variable, nnx.RngCount):
            variable.set_value(jnp.zeros(shape, jnp.uint32))
        else:
            variable.set_value(jnp.asarray(drawn(path, shape, random), jnp.float32))
    return module


def _nnx(build, layers, side):
    module = randomized(build, CLASSES)
    graph, random, params = _split(module)

    def forward(params, images):
        return nnx.merge(graph, params, random)(images)

    network = ju.networks.from_nnx(
        module,
        preprocessing=preprocessing(side),
        unit_axis={name: axis for name, axis in layers.items() if axis != -1},
    )
    found = JaxKind(network.with_params(params), layers, forward)
    module.head.bias[...] = module.head.bias[...] - _mean_logits(found)
    return dataclasses.replace(found, network=network.with_params(_split(module)[2]))


def _split(module):
    """An NNX module in evaluation: without arrays, its keys of random numbers, its other arrays."""
    view = nnx.view(module, raise_if_not_found=False, deterministic=True, use_running_average=True)
    return nnx.split(view, nnx.RngState, ...)


def _linen():
    module = linen.ResNet(CLASSES)
    init = functools.partial(module.init, train=False)
    shapes = jax.eval_shape(init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    random = np.random.default_rng(_SEED)
    variables = jax.tree_util.tree_map_with_path(
        lambda path, leaf: jnp.asarray(
            drawn([each.key for each in path], leaf.shape, random), jnp.float32
        ),
        shapes,
    )
    network = ju.networks.from_linen(
        module, variables, preprocessing=preprocessing(32), arguments={"train": False}
    )

    def forward(params, images):
        return module.apply(params, images, train=False)

    found = JaxKind(network, linen.LAYERS, forward)
    bias = variables["params"]["Dense_0"]["bias"]
    variables["params"]["Dense_0"]["bias"] = bias - _mean_logits(found)
    return dataclasses.replace(found, network=network.with_params(variables))


def _function(name):
    random = np.random.default_rng(_SEED)
    params = {
        layer: {
            key: jnp.asarray(drawn([key], shape, random), jnp.float32)
            for key, shape in arrays.items()
        }
        for layer, arrays in functions.shapes(16, CLASSES).items()
    }
    function = getattr(functions, name)
    masks = {"conv1": 6, "conv2": 8, "hidden": 14} if name == "masked" else None
    network = ju.networks.from_callable(
        function, params, layers=masks, preprocessing=preprocessing(16), name=name
    )
    layers = functions.CHANNELS_FIRST if name == "channels_first" else functions.LAYERS
    found = JaxKind(network, layers, function)
    params["head"]["bias"] = params["head"]["bias"] - _mean_logits(found)
    return dataclasses.replace(found, network=network.with_params(params))


def _mean_logits(found):
    """Less these the network takes images for all classes."""
    return found.logits()[0].mean(0).astype(np.float32)
