import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jaxunits as ju
from tests.benchmarks.networks import with_random_weights

pytestmark = pytest.mark.slow

receptive_fields = ju.networks.receptive_fields


def fields_of(network, layer):
    return receptive_fields(ju.networks.functional(network), layer)


@pytest.mark.parametrize(
    ("build", "layer", "scale", "offset"),
    [
        # Kernels, steps and padding by hand: 5 - 2, then 4 · 1, then 8 · 1.
        (ju.networks.alexnet, "conv1", 4, 3),
        (ju.networks.alexnet, "conv5", 16, 15),
        (ju.networks.vgg16, "conv1_2", 1, 0),
        (ju.networks.vgg16, "conv5_3", 16, 7.5),
    ],
)
def test_known_networks(build, layer, scale, offset):
    down, across = fields_of(with_random_weights(lambda: build(10, width=0.05), 0), layer)
    assert down == across == (scale, offset)


def test_a_residual_networks_fields_stay_centred_on_the_first_pixel():
    """As their padding is half a kernel everywhere, five steps of 2 leave the offset at 0."""
    network = with_random_weights(lambda: ju.networks.resnet18(10, width=0.05), 0)
    last = [layer.name for layer in network.layers.values() if layer.map_shape == (7, 7)][-1]
    assert fields_of(network, last)[0] == (32, 0)


def stages(kind):
    rngs = nnx.Rngs(0)

    def convolution(inputs, **settings):
        return ju.networks.Convolution(inputs, 2, bias=False, rngs=rngs, **settings)

    return {
        "strides": [convolution(1, size=5, strides=2, padding=1), convolution(2, padding="SAME")],
        "same": [convolution(1, size=4, strides=3, padding="SAME"), convolution(2, padding=0)],
        "pools": [
            convolution(1, padding=1),
            ju.networks.MaxPool(3, 2, 1),
            convolution(2, size=2, padding=0),
            ju.networks.AveragePool(2),
            convolution(2, size=1, padding=0),
        ],
        "adaptive": [ju.networks.AdaptiveAveragePool((12, 8)), convolution(1, padding=1)],
        "residual": [
            ju.networks.Branch(
                convolution(1, strides=2, padding=1),
                convolution(1, size=1, strides=2, padding=0, activation=None),
            ),
            ju.networks.Merge(convolution(2, padding=1, activation=None)),
        ],
    }[kind]


@pytest.mark.parametrize("kind", ["strides", "same", "pools", "adaptive", "residual"])
def test_fields_are_centred_on_the_pixels_that_reach_a_position(kind):
    """Kernels of ones: a pixel reaches those positions that it makes greater than 0."""
    parts = [(f"stage{number}", stage) for number, stage in enumerate(stages(kind))]
    layer = parts[-1][0]
    size = (48, 40)
    network = ju.networks.Network(
        [
            *parts,
            ("pool", ju.networks.AveragePool(None)),
            ("logits", ju.networks.Dense(2, 3, activation=None, rngs=nnx.Rngs(0))),
        ],
        preprocessing=ju.data.Preprocessing(size, 1),
    )
    nnx.update(network, jax.tree.map(jnp.ones_like, nnx.state(network)))
    for axis, centres in enumerate(fields_of(network, layer)):
        images = np.zeros((size[axis], *size, 1), np.float32)
        for pixel in range(size[axis]):
            images[pixel, ..., 0].swapaxes(0, axis)[pixel] = 1
        answers = np.asarray(network.activations(jnp.asarray(images), layer))
        reached = answers.max((3, 2 - axis)) > 0
        tested = 0
        for position in range(reached.shape[1]):
            pixels = np.flatnonzero(reached[:, position])
            if pixels[0] > 0 and pixels[-1] < size[axis] - 1:
                middle = (pixels[0] + pixels[-1]) / 2
                assert middle == centres.scale * position + centres.offset
                tested += 1
        assert tested > 2


def test_layers_without_maps():
    network = with_random_weights(lambda: ju.networks.alexnet(10, width=0.05), 0)
    with pytest.raises(ju.InputError) as caught:
        fields_of(network, "fc6")
    assert "layer 'fc6' of network 'alexnet' has no maps" in str(caught.value)


def test_stages_that_do_not_tell_their_windows():
    class Halved(nnx.Module):
        units = None
        per_channel = True

        def __call__(self, state):
            return state[:, ::2, ::2]

    network = ju.networks.Network(
        [
            ("halved", Halved()),
            ("conv1", ju.networks.Convolution(1, 2, rngs=nnx.Rngs(0))),
            ("pool", ju.networks.AveragePool(None)),
            ("logits", ju.networks.Dense(2, 3, activation=None, rngs=nnx.Rngs(0))),
        ],
        preprocessing=ju.data.Preprocessing((8, 8), 1),
    )
    with pytest.raises(ju.InputError) as caught:
        fields_of(network, "conv1")
    assert "stage 'halved' of network 'assembled' does not tell its windows" in str(caught.value)
