"""The same images by PyTorch's autograd and a loop over units."""

import numpy as np
import pytest

import jaxunits as ju
from tests.benchmarks.networks import with_random_weights
from tests.reference import SMALL

pytest.importorskip("torch", reason="PyTorch is not installed")

NETWORKS = {
    "conv2": lambda: ju.networks.convnet(
        10, widths=(4, 8), pool_after=("conv1",), preprocessing=SMALL
    ),
    "fc2": lambda: ju.networks.mlp(10, widths=(16, 8), preprocessing=SMALL),
}


@pytest.mark.parametrize("layer", NETWORKS)
def test_activation_maximisation(layer):
    from tests.benchmarks.torch_ascent import ascend
    from tests.benchmarks.torch_networks import torch_twin

    network = with_random_weights(NETWORKS[layer], 0)
    shape = (8, *SMALL.size, SMALL.channels)
    starts = np.random.default_rng(0).uniform(0.3, 0.7, shape).astype(np.float32)
    method = ju.synthesis.Method(steps=6)
    made = ju.synthesis.maximise(network, layer, range(8), initial=starts, method=method)
    twin = torch_twin(network)
    for unit, start in enumerate(starts):
        image = ascend(twin, SMALL, layer, unit, start, method)
        assert abs(image - start).max() > 0.1
        if made.active[unit]:
            np.testing.assert_allclose(made.image[unit], image, atol=1e-4)
    assert made.active.sum() >= 6
