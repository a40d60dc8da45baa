"""Networks in plain NumPy and float64, written apart from the library, to compare with."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

import jaxunits as ju

SMALL = ju.data.Preprocessing(size=(28, 28), channels=1, mean=(0.13,), std=(0.31,))


def small_convnet(classes=10, **arguments):
    settings = {"widths": (6, 8, 10), "pool_after": ("conv1", "conv2"), "preprocessing": SMALL}
    return ju.networks.convnet(classes, **{**settings, **arguments})


class Block(nnx.Module):
    """Two convolutions with batch norm and a shortcut, projected where the shapes change."""

    def __init__(self, inputs, inside, outputs, strides, rngs):
        self.conv1 = nnx.Conv(inputs, inside, (3, 3), strides, use_bias=False, rngs=rngs)
        self.bn1 = nnx.BatchNorm(inside, rngs=rngs)
        self.conv2 = nnx.Conv(inside, outputs, (3, 3), use_bias=False, rngs=rngs)
        self.bn2 = nnx.BatchNorm(outputs, rngs=rngs)
        self.projected = inputs != outputs
        if self.projected:
            self.conv3 = nnx.Conv(inputs, outputs, (1, 1), strides, use_bias=False, rngs=rngs)
            self.bn3 = nnx.BatchNorm(outputs, rngs=rngs)

    def __call__(self, maps):
        inside = nnx.relu(self.bn1(self.conv1(maps)))
        shortcut = self.bn3(self.conv3(maps)) if self.projected else maps
        return nnx.relu(self.bn2(self.conv2(inside)) + shortcut)


class Residual(nnx.Module):
    """Convolutions with batch norm, two residual blocks, a global average."""

    def __init__(self, seed):
        rngs = nnx.Rngs(seed)
        random = np.random.default_rng(seed)
        self.conv1 = nnx.Conv(1, 6, (3, 3), 2, use_bias=False, rngs=rngs)
        self.bn1 = nnx.BatchNorm(6, rngs=rngs)
        self.layer1 = Block(6, 7, 6, 1, rngs)
        self.layer2 = Block(6, 8, 24, 2, rngs)
        self.logits = nnx.Linear(24, 10, rngs=rngs)
        for _, module in nnx.iter_modules(self):
            if isinstance(module, nnx.BatchNorm):
                shape = module.mean.shape
                module.mean[...] = jnp.asarray(random.normal(size=shape), "float32")
                module.var[...] = jnp.asarray(random.uniform(1, 2, shape), "float32")

    def __call__(self, images):
        maps = nnx.relu(self.bn1(self.conv1(images)))
        maps = nnx.max_pool(maps, (3, 3), (2, 2), ((1, 1), (1, 1)))
        return self.logits(self.layer2(self.layer1(maps)).mean((1, 2)))


def small_residual(seed=0):
    """A residual network of somebody's own."""
    return ju.networks.from_nnx(Residual(seed), preprocessing=SMALL, name="residual")


def images_of(data, preprocessing):
    """All images of a data set as the network reads them, and their labels."""
    records = [data[index] for index in range(len(data))]
    mean, std = np.asarray(preprocessing.mean), np.asarray(preprocessing.std)
    images = np.stack([record["image"] for record in records]) / 255.0
    return (images - mean) / std, np.asarray([record["label"] for record in records])


def forward(network, images, ablated=None, value=0.0, change=None, through=None):
    """Logits of a conv net or MLP, or what the layer `through` gives.

    `ablated` is a layer and the units that are set to `value`; `change` a layer and a function of
    its activations.
    """
    state = np.asarray(images, np.float64)
    for name in layers_of(network):
        state = linear(network, name, state)
        if name != "logits":
            state = np.maximum(state, 0)
        if ablated is not None and ablated[0] == name:
            state = state.copy()
            state[..., ablated[1]] = value
        if change is not None and change[0] == name:
            state = change[1](state)
        if name == through:
            break
        if name in getattr(network.module, "pool_after", ()):
            state = pooled(state)
    return state


def before_relu(network, images, layer):
    """What a layer of a conv net or MLP gives before its ReLU."""
    state = images
    index = layers_of(network).index(layer)
    if index:
        before = layers_of(network)[index - 1]
        state = forward(network, images, through=before)
        if before in getattr(network.module, "pool_after", ()):
            state = pooled(state)
    return linear(network, layer, state)


def layers_of(network):
    """The convolutions and dense layers of a conv net or MLP, in order."""
    names = {name.rpartition(".")[0] for name in ju.networks.arrays(network)}
    return sorted(names, key=lambda name: int(name.strip("convf")) if name != "logits" else 99)


def linear(network, layer, state):
    """What a convolution or dense layer gives."""
    arrays = ju.networks.arrays(network)
    kernel, bias = (
        np.asarray(arrays[f"{layer}.{kind}"], np.float64) for kind in ("kernel", "bias")
    )
    if kernel.ndim == 4:
        return convolve(state, kernel) + bias
    return np.reshape(state, (len(state), -1)) @ kernel + bias


def pooled(state):
    """The largest values of blocks of 2×2."""
    images, height, width, units = state.shape
    rows, columns = height // 2, width // 2
    blocks = state[:, : 2 * rows, : 2 * columns].reshape(images, rows, 2, columns, 2, units)
    return blocks.max((2, 4))


def convolve(images, kernel):
    """3×3 convolution of stride 1 with a border of zeros."""
    padded = np.pad(images, [(0, 0), (1, 1), (1, 1), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    return np.einsum("nhwcij,ijcu->nhwu", windows, kernel, optimize=True)


def arrays_equal(left, right):
    return jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), left, right))
