"""The same images by loops over units that are written apart: in plain JAX, and in PyTorch."""

import importlib.util

import jax.numpy as jnp
import numpy as np
import pytest

import jaxunits as ju
from tests.benchmarks import jax_ascent
from tests.benchmarks.networks import with_random_weights
from tests.reference import SMALL, small_residual

pytestmark = pytest.mark.slow

NETWORKS = {
    "conv2": lambda: ju.networks.convnet(
        10, widths=(4, 8), pool_after=("conv1",), preprocessing=SMALL
    ),
    "fc2": lambda: ju.networks.mlp(10, widths=(16, 8), preprocessing=SMALL),
    "layer2": small_residual,
}


def by_jax(network, layer, unit, start, method):
    return jax_ascent.ascent(network, layer, method)(unit, start)


def by_pytorch(network, layer, unit, start, method):
    from tests.benchmarks.torch_ascent import ascend
    from tests.benchmarks.torch_networks import torch_twin

    return ascend(torch_twin(network), network.preprocessing, layer, unit, start, method)


def test_from_the_same_images_a_loop_reaches_no_more():
    """Over many steps images part at the kinks of ReLUs, but not their activations."""
    images = ju.data.Preprocessing((16, 16), 3, mean=(0.5,), std=(0.25,))
    network = with_random_weights(
        lambda: ju.networks.convnet(10, widths=(8, 8, 16, 32), preprocessing=images), 0
    )
    starts = np.random.default_rng(0).uniform(0.3, 0.7, (32, 16, 16, 3)).astype(np.float32)
    method = ju.synthesis.Method(steps=64)
    made = ju.synthesis.maximize(network, "conv4", initial=starts, method=method)
    ascend = jax_ascent.ascent(network, "conv4", method)
    looped = np.stack([ascend(unit, start) for unit, start in enumerate(starts)])
    response = np.asarray(network.activations((jnp.asarray(looped) - 0.5) / 0.25, "conv4"))
    reached = response.mean((1, 2))[np.arange(32), np.arange(32)]
    rises = reached > 0.01 * reached.max()
    assert rises.sum() >= 24
    ratio = made.activation.values[rises] / reached[rises]
    assert np.quantile(ratio, 0.1) > 0.97
    assert np.median(ratio) == pytest.approx(1, abs=0.01)


needs_pytorch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="PyTorch is not installed"
)


@pytest.mark.parametrize(
    ("layer", "loop"),
    [
        *((layer, by_jax) for layer in NETWORKS),
        # PyTorch has no strided convolution with the border of the residual network's.
        *(pytest.param(layer, by_pytorch, marks=needs_pytorch) for layer in ("conv2", "fc2")),
    ],
)
def test_activation_maximization(layer, loop):
    network = with_random_weights(NETWORKS[layer], 0)
    size = network.preprocessing
    shape = (8, *size.size, size.channels)
    starts = np.random.default_rng(0).uniform(0.3, 0.7, shape).astype(np.float32)
    method = ju.synthesis.Method(steps=6)
    made = ju.synthesis.maximize(network, layer, range(8), initial=starts, method=method)
    for unit, start in enumerate(starts):
        image = loop(network, layer, unit, start, method)
        assert abs(image - start).max() > 0.1
        if made.active[unit]:
            np.testing.assert_allclose(made.image[unit], image, atol=1e-4)
    assert made.active.sum() >= 6
