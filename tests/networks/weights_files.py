"""What the tests of weights files share: a small network, its arrays, and what errors say."""

import jax
import numpy as np
import pytest

import jaxunits as ju
from tests.benchmarks.networks import with_random_weights
from tests.reference import SMALL, arrays_equal


def convnet(classes=4, **arguments):
    settings = {"widths": (3, 4), "pool_after": ("conv1",), "preprocessing": SMALL, **arguments}
    return ju.networks.convnet(classes, **settings)


def exported(network):
    """The arrays of such a network in PyTorch's layouts, turned here and not by the library."""
    own = {name: np.asarray(array) for name, array in ju.networks.arrays(network).items()}
    arrays = {}
    for layer in ("conv1", "conv2"):
        kernel = own[f"{layer}.kernel"]
        arrays[f"{layer}.weight"] = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
        arrays[f"{layer}.bias"] = own[f"{layer}.bias"]
    kernel = own["logits.kernel"].reshape(14, 14, 4, -1)
    turned = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
    arrays["logits.weight"] = turned.reshape(len(turned), -1)
    arrays["logits.bias"] = own["logits.bias"]
    return arrays


def assert_loads(path, source, build=convnet):
    """Reading gives a network with just these numbers, and changes none."""
    network = with_random_weights(build, seed=1)
    before = jax.tree.map(np.asarray, ju.networks.arrays(network))
    loaded = ju.networks.load_weights(network, path)
    assert arrays_equal(ju.networks.arrays(loaded), ju.networks.arrays(source))
    assert arrays_equal(ju.networks.arrays(network), before)


def message(network, path, **arguments):
    """The error's text; nothing of the network may have changed."""
    before = jax.tree.map(np.asarray, ju.networks.arrays(network))
    with pytest.raises(ju.InputError) as caught:
        ju.networks.load_weights(network, path, **arguments)
    assert arrays_equal(ju.networks.arrays(network), before)
    return str(caught.value)
