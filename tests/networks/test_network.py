import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxunits as ju
from tests.reference import SMALL, forward, images_of, small_convnet


@pytest.fixture(scope="module")
def images(digits):
    return images_of(digits, SMALL)[0][:20]


def test_papers_widths_are_the_defaults():
    mlp, convnet = (
        nnx.eval_shape(lambda build=build: build(10))
        for build in (ju.networks.mlp, ju.networks.convnet)
    )
    assert [layer.units for layer in mlp.layers.values()] == [128, 512, 2048, 2048]
    assert [layer.units for layer in convnet.layers.values()] == [64, 64, 128, 128]
    assert [layer.map_shape for layer in convnet.layers.values()] == [(32, 32)] * 2 + [(16, 16)] * 2
    assert list(mlp.layers) == ["fc1", "fc2", "fc3", "fc4"]
    assert convnet.order == (
        *("conv1", "conv2", "pool2", "conv3", "conv4", "pool4"),
        *("flatten", "logits"),
    )


@pytest.mark.parametrize(
    "network",
    [
        small_convnet(),
        small_convnet(pool_after=(), widths=(3,)),
        small_convnet(dense=(7, 5)),
        ju.networks.mlp(10, widths=(9, 5), preprocessing=SMALL),
    ],
    ids=["pools", "plain", "dense", "mlp"],
)
def test_equals_numpy_in_float64(network, images):
    logits = network(jnp.asarray(images, jnp.float32))
    np.testing.assert_allclose(logits, forward(network, images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_any_number_of_channels(channels):
    preprocessing = ju.data.Preprocessing((9, 11), channels)
    network = ju.networks.convnet(
        4, widths=(5, 6), pool_after=("conv2",), preprocessing=preprocessing
    )
    images = np.random.default_rng(0).normal(size=(2, 9, 11, channels))
    logits = network(jnp.asarray(images, jnp.float32))
    assert network.classes == 4
    np.testing.assert_allclose(logits, forward(network, images), rtol=1e-4, atol=1e-5)


@settings(max_examples=20)
@given(data=st.data())
def test_running_in_parts_equals_running_through(data):
    network = small_convnet()
    images = jnp.linspace(-1, 1, 2 * 28 * 28).reshape(2, 28, 28, 1)
    cuts = data.draw(st.lists(st.sampled_from(network.order[:-1]), unique=True, max_size=4))
    cuts = sorted(cuts, key=network.order.index)
    state, after = images, None
    for cut in [*cuts, None]:
        state = network.run(state, after=after, through=cut)
        after = cut
    np.testing.assert_array_equal(state, network(images))


def test_activations_are_what_the_layer_gives(images):
    network = small_convnet()
    answers = network.activations(jnp.asarray(images, jnp.float32), "conv2")
    assert answers.shape == (20, 14, 14, 8)
    assert answers.min() == 0
    logits = network.run(answers, after="conv2")
    np.testing.assert_allclose(logits, forward(network, images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("value", [0.0, 0.7])
def test_a_mask_fixes_units_in_several_layers(images, value):
    network = small_convnet()
    masks = {"conv1": jnp.ones(6).at[2].set(0), "conv3": jnp.ones(10).at[jnp.array([0, 9])].set(0)}
    values = {"conv1": jnp.full(6, value), "conv3": jnp.full(10, value)}
    found = network(jnp.asarray(images, jnp.float32), masks, values)
    state = np.asarray(network.activations(jnp.asarray(images, jnp.float32), "conv1")).copy()
    state[..., 2] = value
    state = np.asarray(network.run(jnp.asarray(state), after="conv1", through="conv3")).copy()
    state[..., [0, 9]] = value
    expected = network.run(jnp.asarray(state), after="conv3")
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_vmap_over_masks_is_one_line(images):
    network = small_convnet()
    batch = jnp.asarray(images, jnp.float32)
    masks = 1 - jnp.eye(8)
    graph, state = nnx.split(network)
    run = jax.jit(jax.vmap(lambda mask: nnx.merge(graph, state)(batch, {"conv2": mask})))
    for mask, logits in zip(masks, run(masks), strict=True):
        np.testing.assert_allclose(logits, network(batch, {"conv2": mask}), rtol=1e-4, atol=1e-4)


def test_seeds_give_other_weights():
    one, same, other = (small_convnet(seed=seed) for seed in (0, 0, 1))
    kernels = [network.stages["conv1"].kernel[...] for network in (one, same, other)]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert (kernels[0] != kernels[2]).all()


def message(function, *args, **kwargs):
    with pytest.raises(ju.InputError) as caught:
        function(*args, **kwargs)
    return str(caught.value)


def test_bad_masks_are_named():
    network, images = small_convnet(), jnp.zeros((1, 28, 28, 1))
    assert message(network, images, {"conv4": jnp.ones(10)}) == (
        "unknown layer 'conv4': network 'convnet' has conv1, conv2, conv3. Did you mean 'conv3'?"
    )
    assert message(network, images, {"conv3": jnp.ones(8)}) == (
        "mask of shape (8,) for layer 'conv3' of network 'convnet': expected (10,), "
        "one entry a unit"
    )
    assert "unknown layer 'pool1'" in message(network.activations, images, "pool1")
    assert "unknown stage 'conv5'" in message(network.run, images, after="conv5")


def test_images_of_another_shape():
    assert message(small_convnet(), jnp.zeros((1, 28, 28, 3))) == (
        "images of shape (1, 28, 28, 3) for network 'convnet': expected [images, 28, 28, 1]"
    )


def test_images_too_small_for_the_pools():
    assert message(small_convnet, preprocessing=ju.data.Preprocessing((3, 3), 1)) == (
        "images of 3×3 are too small for network 'convnet': stage 'pool2' leaves nothing of them. "
        "Give larger images or fewer stages that shrink them"
    )


def test_networks_that_cannot_be():
    assert "unknown layer 'conv9': pool_after: the network has conv1, conv2, conv3" in message(
        small_convnet, pool_after=("conv9",)
    )
    assert "give at least one layer" in message(ju.networks.mlp, 10, widths=())
    assert "classes=0" in message(ju.networks.convnet, 0)
    stages = [("a", ju.networks.Flatten()), ("a", ju.networks.Flatten())]
    assert "give each stage a name of its own" in message(
        ju.networks.Network, stages, preprocessing=SMALL
    )


def test_a_network_of_ones_own_in_a_few_lines(few_digits):
    rngs = nnx.Rngs(0)
    network = ju.networks.Network(
        [
            ("conv1", ju.networks.Convolution(1, 4, size=5, strides=2, padding=2, rngs=rngs)),
            ("pool1", ju.networks.MaxPool(3, strides=2)),
            ("flatten", ju.networks.Flatten()),
            ("fc2", ju.networks.Dense(144, 12, activation=jnp.tanh, rngs=rngs)),
            ("logits", ju.networks.Dense(12, 10, activation=None, rngs=rngs)),
        ],
        preprocessing=SMALL,
    )
    assert {name: layer.units for name, layer in network.layers.items()} == {"conv1": 4, "fc2": 12}
    result = ju.ablation.sweep(network, "fc2", few_digits)
    assert result.correct.sizes == {"unit": 12, "class": 10}


@settings(max_examples=8)
@given(data=st.data(), size=st.integers(1, 3), strides=st.integers(1, 3))
def test_pooling_and_its_gradient_equal_a_loop_over_windows(data, size, strides):
    height, width = (data.draw(st.integers(size, 8)) for _ in range(2))
    maps = np.random.default_rng(0).permutation(2 * height * width * 3).astype(np.float32)
    maps = maps.reshape(2, height, width, 3)
    pool = ju.networks.MaxPool(size, strides)
    rows, columns = ((side - size) // strides + 1 for side in (height, width))
    expected, gradient = np.zeros((2, rows, columns, 3)), np.zeros(maps.shape)
    for image, row, column, unit in np.ndindex(expected.shape):
        corner = (image, slice(row * strides, row * strides + size))
        window = maps[(*corner, slice(column * strides, column * strides + size), unit)]
        expected[image, row, column, unit] = window.max()
        top, left = np.unravel_index(window.argmax(), window.shape)
        gradient[image, row * strides + top, column * strides + left, unit] += window.max()

    @jax.jit
    def all_of(maps):
        half = jax.grad(lambda maps: (pool(maps) ** 2).sum() / 2)(maps)
        return *jax.jvp(pool, (maps,), (jnp.ones_like(maps),)), half

    largest, forward_mode, found = all_of(maps)
    np.testing.assert_array_equal(largest, expected)
    np.testing.assert_allclose(found, gradient)
    np.testing.assert_array_equal(forward_mode, np.ones_like(expected))
