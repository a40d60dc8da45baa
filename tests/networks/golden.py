"""Weights and images anybody can draw again, and what other libraries' networks make of them.

    python -m tests.networks.golden [name ...]

writes `tests/networks/golden/*.npz` anew: the logits of the networks of torchvision and Keras, and
for each layer each unit's mean over the map. Importing this needs neither library.
"""

import math
import sys
import zlib
from pathlib import Path

import numpy as np

import jaxunits as ju
from jaxunits.networks.weights._parameters import parameters

FOLDER = Path(__file__).parent / "golden"
_PIECE = 2**16
CIFAR = ju.data.Preprocessing((32, 32), 3)
# VGG16 is narrow so that its weights take no time; AlexNet reads maps that have to be averaged.
NETWORKS = {
    "alexnet": lambda: ju.networks.alexnet(100),
    "alexnet_bn": lambda: ju.networks.alexnet_bn(
        100, preprocessing=ju.data.Preprocessing((160, 200), 3)
    ),
    "vgg16": lambda: ju.networks.vgg16(100, width=1 / 8),
    "vgg16_bn": lambda: ju.networks.vgg16_bn(100, width=1 / 8),
    "resnet18": lambda: ju.networks.resnet18(100),
    "resnet18_cifar": lambda: ju.networks.resnet18(10, stem="cifar", preprocessing=CIFAR),
    "keras_vgg16": lambda: ju.networks.vgg16(100),
}


def draw(name, shape):
    """The array of a name: He-like weights, running averages as after some training."""
    values = uniform(name, shape)
    match name.rpartition(".")[2]:
        case "running_var":
            return 1.25 + 0.75 * values
        case "weight" if len(shape) == 1:
            return 1 + 0.5 * values
        case "weight":
            values *= np.float32(math.sqrt(6 / math.prod(shape[1:])))
            return values
    return 0.2 * values


def uniform(name, shape):
    """Numbers between -1 and 1 from a name and the raw bits of PCG64 alone."""
    values = np.empty(math.prod(shape), np.float32)
    generator = np.random.PCG64(zlib.crc32(name.encode()))
    # In pieces that stay in the processor's cache, two numbers from each 64 bits.
    for start in range(0, values.size, _PIECE):
        piece = values[start : start + _PIECE]
        bits = generator.random_raw((piece.size + 1) // 2).astype("<u8", copy=False)
        piece[:] = bits.view("<u4")[: piece.size] >> 8
    values *= np.float32(2**-23)
    values -= 1
    return values.reshape(shape)


def images(network, count=2):
    """Images as the network reads them."""
    shape = (count, *network.preprocessing.size, network.preprocessing.channels)
    return 2 * uniform("images", shape)


def weights(network):
    """All arrays of a network by torchvision's names, in PyTorch's layouts."""
    return {
        parameter.name: draw(parameter.name, parameter.stored_shape)
        for parameter in parameters(network)
    }


def read(name):
    """Logits, and for each layer each unit's mean over the map: `[images, units]`."""
    with np.load(FOLDER / f"{name}.npz") as file:
        content = dict(file)
    return content.pop("logits"), content


def means(activations):
    """Each unit's mean over the map, of `[images, height, width, units]` or `[images, units]`."""
    return activations.mean(axis=tuple(range(1, activations.ndim - 1)), dtype=np.float64)


def make(name):
    """What another library's network gives."""
    network = NETWORKS[name]()
    if name == "keras_vgg16":
        from tests.networks import keras_networks as others
    else:
        from tests.networks import torch_networks as others
    logits, layers = others.golden(name, network, weights(network), images(network))
    content = {layer: means(values).astype(np.float32) for layer, values in layers.items()}
    FOLDER.mkdir(exist_ok=True)
    np.savez_compressed(FOLDER / f"{name}.npz", logits=logits, **content)


if __name__ == "__main__":
    for chosen in sys.argv[1:] or NETWORKS:
        make(chosen)
        print(chosen, (FOLDER / f"{chosen}.npz").stat().st_size, "bytes")  # noqa: T201
