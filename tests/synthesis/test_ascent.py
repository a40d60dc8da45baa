import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

import jaxunits as ju
from jaxunits.synthesis import Method
from jaxunits.synthesis._ascent import Ascent, standardize
from jaxunits.synthesis._objective import mean_of_others, penalty
from jaxunits.synthesis._parametrization import pixels, start
from jaxunits.synthesis._responses import Read
from jaxunits.synthesis._transformations import _sampled
from tests.chains import chain, flatten
from tests.reference import small_residual

pytestmark = pytest.mark.slow

TINY = ju.data.Preprocessing(size=(6, 5), channels=3, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))
EVERYTHING = Method(
    values="sigmoid",
    basis="fourier",
    decorrelate_colors=True,
    noise=0.1,
    jitter=0.3,
    scale=0.2,
    rotate=20.0,
    total_variation=0.3,
    l2=0.7,
)


def tiny(activation):
    """Two layers whose units are named where the activation has acted."""
    rngs = nnx.Rngs(0)
    return chain(
        TINY,
        conv=nnx.Conv(3, 4, (3, 3), rngs=rngs),
        activation1=lambda maps: ju.networks.unit(activation(maps), "conv1"),
        pool1=lambda maps: nnx.avg_pool(maps, (2, 2), (2, 2)),
        flatten=flatten,
        fc=nnx.Linear(24, 5, rngs=rngs),
        activation2=lambda state: ju.networks.unit(activation(state), "fc2"),
        logits=nnx.Linear(5, 2, rngs=rngs),
    )


@pytest.mark.parametrize(
    ("layer", "objective", "activation", "method"),
    [
        ("conv1", "am", "max", Method(l2=0.7)),
        ("conv1", "iam", "mean", EVERYTHING),
        ("fc2", "am", "mean", Method(total_variation=0.3)),
        ("fc2", "iam", "mean", Method()),
    ],
)
def test_gradients_are_finite_differences(layer, objective, activation, method):
    with jax.enable_x64(True):
        network = tiny(jnp.tanh)
        params = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), network.params)
        ascent = Ascent(Read(network.function, layer), TINY, objective, activation, method)
        key = jax.random.key(3)
        gray = jnp.full(ascent.shape, 0.5, jnp.float64)
        numbers = start(method, key, gray, jnp.asarray(False))
        cost = jax.jit(lambda numbers: ascent.cost(params, numbers, jnp.int32(1), key)[0])
        gradient = np.asarray(jax.jit(jax.grad(cost))(numbers))
        random = np.random.default_rng(0)
        for place in zip(*(random.integers(0, side, 8) for side in numbers.shape), strict=True):
            up, down = (cost(numbers.at[place].add(step)) for step in (1e-6, -1e-6))
            assert gradient[place] == pytest.approx(float(up - down) / 2e-6, rel=1e-5, abs=1e-8)
    assert abs(gradient).max() > 1e-3


@settings(max_examples=30)
@given(seed=st.integers(0, 2**16), units=st.integers(2, 9))
def test_iam_takes_the_mean_of_the_others(seed, units):
    random = np.random.default_rng(seed)
    answers, unit = random.normal(size=units).astype(np.float32), int(random.integers(units))
    expected = np.delete(answers, unit).mean()
    others = mean_of_others(jnp.asarray(answers), jnp.int32(unit))
    assert float(others) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("network", "layer"),
    [
        (lambda: tiny(jax.nn.relu), "conv1"),
        (lambda: tiny(jax.nn.relu), "fc2"),
        (lambda: tiny(jax.nn.softmax), "conv1"),
        (lambda: tiny(jax.nn.softmax), "fc2"),
        (small_residual, "layer1.conv1"),
        (small_residual, "layer2"),
    ],
)
def test_a_unit_alone_answers_as_in_its_layer(network, layer):
    network = network()
    random, size = np.random.default_rng(0), network.preprocessing
    image = jnp.asarray(random.normal(size=(*size.size, size.channels)), jnp.float32)
    read, units = Read(network.function, layer), jnp.arange(network.layers[layer].num_units)
    whole = read(network.params, image)
    alone = jax.vmap(read, (None, None, 0), -1)(network.params, image, units)
    for left, right in zip(alone, whole, strict=True):
        np.testing.assert_allclose(left[..., 0, :], right, rtol=1e-4, atol=1e-5)
    assert np.ptp(whole.before) > 0


@pytest.mark.parametrize("decorrelate_colors", [False, True])
@pytest.mark.parametrize("basis", ["pixel", "fourier"])
def test_an_image_comes_back_from_its_numbers(basis, decorrelate_colors):
    method = Method(values="sigmoid", basis=basis, decorrelate_colors=decorrelate_colors)
    image = jnp.asarray(np.random.default_rng(0).uniform(0.01, 0.99, (7, 8, 3)), jnp.float32)
    numbers = start(method, jax.random.key(0), image, jnp.asarray(True))
    np.testing.assert_allclose(pixels(method, numbers, image.shape), image, atol=1e-5)


def test_all_frequencies_start_with_equal_energy():
    """The spectrum of many noise images falls as one over the frequency."""
    method = Method(values="sigmoid", basis="fourier", noise=0.01)
    gray = jnp.full((32, 32, 1), 0.5)
    begin = jax.vmap(
        lambda key: pixels(method, start(method, key, gray, jnp.asarray(False)), gray.shape)
    )
    images = np.asarray(begin(jax.random.split(jax.random.key(0), 200)))[..., 0]
    power = (np.abs(np.fft.fft2(images - 0.5)) ** 2).mean(0)
    assert power[0, 2] / power[0, 8] == pytest.approx(16, rel=0.3)
    assert power[3, 4] / power[0, 10] == pytest.approx(4, rel=0.3)


def test_pixels_are_standardized_as_data_are():
    image = np.random.default_rng(0).uniform(0, 1, (6, 5, 3)).astype(np.float32)
    for order in ("rgb", "bgr"):
        preprocessing = ju.data.Preprocessing((6, 5), 3, TINY.mean, TINY.std, order=order)
        np.testing.assert_allclose(
            standardize(preprocessing, jnp.asarray(image)),
            preprocessing.standardize(image),
            atol=1e-6,
        )
    one = ju.data.Preprocessing((6, 5), 3, (0.5,), (0.25,))
    np.testing.assert_allclose(
        standardize(one, jnp.asarray(image)), one.standardize(image), atol=1e-6
    )


@pytest.mark.parametrize(("factor", "degrees", "shift"), [(1, 90, (0, 0)), (1.3, 20, (1, -2))])
def test_images_are_moved_as_scipy_moves_them(factor, degrees, shift):
    image = np.random.default_rng(0).uniform(0, 1, (9, 9, 2)).astype(np.float32)
    angle = np.deg2rad(degrees)
    moved = _sampled(
        jnp.asarray(image), jnp.asarray(shift, jnp.float32), jnp.float32(factor), jnp.float32(angle)
    )
    matrix = np.asarray([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / factor
    offset = 4 - matrix @ (np.asarray([4, 4]) + shift)
    expected = [
        ndimage.affine_transform(
            plane,
            matrix,
            offset,
            order=1,
            mode="grid-constant",
            cval=0.5,
        )
        for plane in np.moveaxis(image, -1, 0)
    ]
    np.testing.assert_allclose(moved, np.stack(expected, -1), atol=1e-4)


def test_penalties_are_what_they_say():
    image = jnp.asarray([[[0.5], [0.7]], [[0.1], [0.5]]])
    method = Method(total_variation=2.0, l2=3.0)
    steps = (0.2 + 0.4) / 2 + (0.4 + 0.2) / 2
    assert float(penalty(method, image)) == pytest.approx(2 * steps + 3 * (0.04 + 0.16) / 4)
    assert float(penalty(Method(total_variation=1.0), jnp.full((1, 4, 1), 0.2))) == 0
