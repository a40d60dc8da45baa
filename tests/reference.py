"""Networks in plain NumPy and float64, written apart from the library, to compare with."""

import jax
import numpy as np
from flax import nnx

import jaxunits as ju

SMALL = ju.data.Preprocessing(size=(28, 28), channels=1, mean=(0.13,), std=(0.31,))


def small_convnet(classes=10, **arguments):
    settings = {"widths": (6, 8, 10), "pool_after": ("conv1", "conv2"), "preprocessing": SMALL}
    return ju.networks.convnet(classes, **{**settings, **arguments})


def small_residual(seed=0):
    """Convolutions with batch norm, two residual blocks, a global average."""
    rngs = nnx.Rngs(seed)
    random = np.random.default_rng(seed)
    norm = {"bias": False, "batch_norm": True, "rngs": rngs}
    inner = {"activation": None, **norm}
    layer = ju.networks.Convolution
    network = ju.networks.Network(
        [
            ("conv1", layer(1, 6, strides=2, **norm)),
            ("pool1", ju.networks.MaxPool(3, 2, padding=1)),
            ("layer1.conv1", ju.networks.Branch(layer(6, 7, **norm))),
            ("layer1", ju.networks.Merge(layer(7, 6, **inner))),
            (
                "layer2.conv1",
                ju.networks.Branch(
                    layer(6, 8, strides=2, **norm), layer(6, 24, 1, strides=2, **inner)
                ),
            ),
            ("layer2", ju.networks.Merge(layer(8, 24, **inner))),
            ("average", ju.networks.AveragePool(None)),
            ("logits", ju.networks.Dense(24, 10, activation=None, rngs=rngs)),
        ],
        preprocessing=SMALL,
    )
    for _, module in nnx.iter_modules(network):
        if isinstance(module, nnx.BatchNorm):
            module.mean[...] = jax.numpy.asarray(random.normal(size=module.mean.shape), "float32")
            module.var[...] = jax.numpy.asarray(random.uniform(1, 2, module.var.shape), "float32")
    return network


def images_of(data, preprocessing):
    """All images of a data set as the network reads them, and their labels."""
    records = [data[index] for index in range(len(data))]
    mean, std = np.asarray(preprocessing.mean), np.asarray(preprocessing.std)
    images = np.stack([record["image"] for record in records]) / 255.0
    return (images - mean) / std, np.asarray([record["label"] for record in records])


def forward(network, images, ablated=None, value=0.0, change=None, through=None):
    """Logits of a conv net or MLP, or what the stage `through` gives.

    `ablated` is a layer and the units that are set to `value`; `change` a layer and a function of
    its activations.
    """
    state = np.asarray(images, np.float64)
    for name in network.order:
        stage = network.stages[name]
        kind = type(stage).__name__
        if kind == "MaxPool":
            images, height, width, units = state.shape
            rows, columns = height // 2, width // 2
            blocks = state[:, : 2 * rows, : 2 * columns].reshape(images, rows, 2, columns, 2, units)
            state = blocks.max((2, 4))
        elif kind == "Flatten":
            state = state.reshape(len(state), -1)
        else:
            kernel = np.asarray(stage.kernel[...], np.float64)
            bias = np.asarray(stage.bias[...], np.float64)
            if kind == "Convolution":
                state = convolve(state, kernel) + bias
            else:
                state = state @ kernel + bias
            if name != "logits":
                state = np.maximum(state, 0)
        if ablated is not None and ablated[0] == name:
            state = state.copy()
            state[..., ablated[1]] = value
        if change is not None and change[0] == name:
            state = change[1](state)
        if name == through:
            break
    return state


def before_relu(network, images, layer):
    """What a layer of a conv net or MLP gives before its ReLU."""
    index = network.order.index(layer)
    stage = network.stages[layer]
    state = images
    if index:
        state = forward(network, images, through=network.order[index - 1])
    kernel, bias = (np.asarray(array[...], np.float64) for array in (stage.kernel, stage.bias))
    return (convolve(state, kernel) if kernel.ndim == 4 else state @ kernel) + bias


def convolve(images, kernel):
    """3×3 convolution of stride 1 with a border of zeros."""
    padded = np.pad(images, [(0, 0), (1, 1), (1, 1), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    return np.einsum("nhwcij,ijcu->nhwu", windows, kernel, optimize=True)


def arrays_equal(left, right):
    return jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), left, right))
