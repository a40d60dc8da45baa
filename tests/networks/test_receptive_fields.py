import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jaxunits as ju
from jaxunits.networks._convolution import convolution as ju_convolution
from jaxunits.networks._pooling import max_pool as ju_max_pool
from tests.benchmarks.networks import with_random_weights
from tests.chains import average, chain

pytestmark = pytest.mark.slow

receptive_fields = ju.networks.receptive_fields


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
    down, across = receptive_fields(with_random_weights(lambda: build(10, width=0.05), 0), layer)
    assert down == across == (scale, offset)


def test_a_residual_networks_fields_stay_centered_on_the_first_pixel():
    """As their padding is half a kernel everywhere, five steps of 2 leave the offset at 0."""
    network = with_random_weights(lambda: ju.networks.resnet18(10, width=0.05), 0)
    last = [layer.name for layer in network.layers.values() if layer.map_shape == (7, 7)][-1]
    assert receptive_fields(network, last)[0] == (32, 0)


class Block(nnx.Module):
    """Convolutions beside a shortcut by every second pixel."""

    def __init__(self, rngs):
        self.conv1 = convolution(1, rngs, strides=2, padding=1)
        self.conv2 = convolution(2, rngs, padding=1)
        self.shortcut = convolution(1, rngs, size=1, strides=2, padding=0)

    def __call__(self, maps):
        inside = self.conv2(nnx.relu(self.conv1(maps)))
        return nnx.relu(inside + self.shortcut(maps))


def convolution(inputs, rngs, size=3, **settings):
    return nnx.Conv(inputs, 2, (size, size), use_bias=False, rngs=rngs, **settings)


def max_pool(maps):
    return nnx.max_pool(maps, (3, 3), (2, 2), ((1, 1), (1, 1)))


def average_pool(maps):
    return nnx.avg_pool(maps, (2, 2), (2, 2))


def parts_of(kind):
    rngs = nnx.Rngs(0)
    built_in = functools.partial(ju_convolution, 2, 2, 5, strides=2, padding=2, bias=False)
    return {
        "strides": [
            convolution(1, rngs, size=5, strides=2, padding=1),
            nnx.relu,
            convolution(2, rngs, padding="SAME"),
        ],
        "same": [
            convolution(1, rngs, size=4, strides=3, padding="SAME"),
            nnx.relu,
            convolution(2, rngs, padding=0),
        ],
        "dilated": [
            convolution(1, rngs, size=4, padding="SAME"),
            convolution(2, rngs, strides=2, padding=1, kernel_dilation=2),
        ],
        "pools": [
            convolution(1, rngs, padding=1),
            nnx.relu,
            max_pool,
            convolution(2, rngs, size=2, padding=0),
            nnx.relu,
            average_pool,
            convolution(2, rngs, size=1, padding=0),
        ],
        "built-in": [
            convolution(1, rngs, padding=1),
            functools.partial(ju_max_pool, size=3, strides=2, ceil=True),
            built_in(kernel_init=nnx.initializers.ones),
        ],
        "products": [
            convolution(1, rngs, strides=2),
            nnx.relu,
            nnx.Linear(2, 2, use_bias=False, rngs=rngs),
        ],
        "residual": [Block(rngs)],
    }[kind]


@pytest.mark.parametrize(
    "kind", ["strides", "same", "dilated", "pools", "built-in", "products", "residual"]
)
def test_fields_are_centered_on_the_pixels_that_reach_a_position(kind):
    """Kernels of ones: a pixel reaches those positions that it makes greater than 0."""
    parts = {f"part{number}": part for number, part in enumerate(parts_of(kind))}
    layer = list(parts)[-1]
    size = (48, 40)
    network = chain(
        ju.data.Preprocessing(size, 1),
        **parts,
        last=nnx.relu,
        pool=average,
        logits=nnx.Linear(2, 3, rngs=nnx.Rngs(0)),
    )
    network = network.with_params(jax.tree.map(jnp.ones_like, network.params))
    for axis, centers in enumerate(receptive_fields(network, layer)):
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
                assert middle == centers.scale * position + centers.offset
                tested += 1
        assert tested > 2


def test_layers_without_maps():
    network = with_random_weights(lambda: ju.networks.alexnet(10, width=0.05), 0)
    with pytest.raises(ju.InputError) as caught:
        receptive_fields(network, "fc6")
    assert "layer 'fc6' of network 'alexnet' has no maps" in str(caught.value)


def reversed_rows(maps):
    return maps[:, ::-1]


def test_operations_that_do_not_tell_their_windows():
    network = chain(
        ju.data.Preprocessing((8, 8), 1),
        upside_down=reversed_rows,
        conv1=nnx.Conv(1, 2, (3, 3), rngs=nnx.Rngs(0)),
        relu1=nnx.relu,
        pool=average,
        logits=nnx.Linear(2, 3, rngs=nnx.Rngs(0)),
    )
    with pytest.raises(ju.InputError) as caught:
        receptive_fields(network, "conv1")
    expected = "receptive fields of layer 'conv1' of network 'chain' are not available"
    assert expected in str(caught.value)
