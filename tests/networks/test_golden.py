"""Networks with weights out of files give what torchvision's and Keras's gave."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

import jaxunits as ju
from tests.networks import golden
from tests.networks.keras_files import keras_layers, write_h5

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", golden.NETWORKS)
def test_weights_out_of_files_give_what_the_other_library_gives(name, tmp_path):
    network = golden.NETWORKS[name]()
    path = tmp_path / "weights"
    if name.startswith("keras"):
        write_h5(path, keras_layers(golden.weights(network)))
    else:
        safetensors.numpy.save_file(golden.weights(network), path)
    network = ju.networks.load_weights(network, path)
    # Half a gigabyte.
    path.unlink()
    logits, layers = golden.read(name)
    found, activations = every_layer(network, golden.images(network))
    np.testing.assert_allclose(found, logits, rtol=0, atol=1e-4 * np.abs(logits).max())
    assert set(layers) == set(activations)
    for layer, expected in layers.items():
        means = golden.means(np.asarray(activations[layer]))
        np.testing.assert_allclose(means, expected, rtol=0, atol=1e-4 * expected.max())
        assert (expected > 0).mean() > 0.1


def every_layer(network, images):
    """Logits, and the activations of the layers whose units come out of a non-linearity."""
    layers = [name for name, layer in network.layers.items() if layer.unit_is == "post-activation"]

    @jax.jit
    def run(params, images):
        return network.with_params(params).with_activations(images, layers)

    return run(network.params, jnp.asarray(images))
