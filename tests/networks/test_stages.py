"""What is asked of stages: contributions, rotations, single units, running averages."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxunits as ju
from jaxunits.networks import (
    AveragePool,
    Branch,
    Branched,
    Convolution,
    Dense,
    MaxPool,
    Merge,
    features_of,
    with_features,
)
from jaxunits.networks._kernels import initial_kernel
from jaxunits.networks._one_output import convolve_to_one
from jaxunits.networks._stages import with_parameter
from tests.reference import small_convnet

pytestmark = pytest.mark.slow

CHANNELS = 5


def rngs():
    return nnx.Rngs(0)


def convolution(*, outputs=4, size=3, **arguments):
    return Convolution(CHANNELS, outputs, size, rngs=rngs(), **arguments)


def normed(stage):
    """A stage whose batch norms have seen something."""
    random = np.random.default_rng(0)
    for _, module in nnx.iter_modules(stage):
        if isinstance(module, nnx.BatchNorm):
            for values, low in ((module.mean, -1), (module.var, 0.5), (module.scale, 0.5)):
                values[...] = jnp.asarray(random.uniform(low, 2, values.shape), jnp.float32)
            module.bias[...] = jnp.asarray(random.normal(size=module.bias.shape), jnp.float32)
    return stage


MAPS = np.random.default_rng(1).normal(size=(3, 7, 6, CHANNELS)).astype(np.float32)
SHORTCUT = np.random.default_rng(2).normal(size=(3, 7, 6, 4)).astype(np.float32)
STAGES = {
    "plain": lambda: (convolution(), MAPS),
    "strided": lambda: (convolution(strides=2), MAPS),
    "padded": lambda: (convolution(strides=2, padding=2), MAPS),
    "valid": lambda: (convolution(padding="VALID"), MAPS),
    "batch norm": lambda: (normed(convolution(batch_norm=True, bias=False)), MAPS),
    "dense": lambda: (Dense(CHANNELS, 8, rngs=rngs()), MAPS[:, 0, 0]),
    "flattened": lambda: (Dense(7 * 6 * CHANNELS, 8, rngs=rngs()), MAPS),
    "identity": lambda: (Branch(normed(convolution(batch_norm=True))), MAPS),
    "projection": lambda: (
        Branch(convolution(strides=2), convolution(size=1, strides=2, activation=None)),
        MAPS,
    ),
    "merge": lambda: (Merge(convolution(activation=None)), Branched(MAPS, SHORTCUT)),
}


def linear(stage, state):
    """The affine map, of flattened features where the stage reads those."""
    features = jnp.asarray(features_of(state))
    if isinstance(stage, Dense):
        features = features.reshape(len(features), -1)
    return stage.linear(with_features(state, features))


def assert_close(left, right):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), left, right)


@pytest.mark.parametrize("name", STAGES)
@pytest.mark.parametrize("at_once", [1, 2, CHANNELS])
def test_contributions_add_up_to_the_affine_map(name, at_once):
    stage, state = STAGES[name]()
    features = jnp.asarray(features_of(state))
    total = linear(stage, with_features(state, features * 0))
    for start in range(0, CHANNELS, at_once):
        units = jnp.arange(start, min(start + at_once, CHANNELS))
        added = stage.contributions(features[..., units], units)
        total = jax.tree.map(lambda so_far, part: so_far + part.sum(0), total, added)
    assert_close(total, linear(stage, state))


@pytest.mark.parametrize("name", STAGES)
def test_one_contribution_is_what_a_channel_changes(name):
    stage, state = STAGES[name]()
    features = jnp.asarray(features_of(state))
    without = linear(stage, with_features(state, features.at[..., 3].set(0)))
    change = stage.contributions(features[..., 3:4], jnp.asarray([3]))
    whole = linear(stage, state)
    assert_close(jax.tree.map(lambda a, b: a - b[0], whole, change), without)
    assert any(float(jnp.abs(leaf).max()) > 0 for leaf in jax.tree.leaves(change))


@pytest.mark.parametrize("name", STAGES)
def test_a_rotated_stage_reads_rotated_features(name):
    stage, state = STAGES[name]()
    basis = jnp.asarray(ju.ablation.haar(CHANNELS, seed=4))
    rotated = with_features(state, jnp.asarray(features_of(state)) @ basis)
    before = jax.tree.map(jnp.copy, nnx.to_pure_dict(nnx.state(stage)))
    assert_close(linear(stage.rotated(basis), rotated), linear(stage, state))
    jax.tree.map(np.testing.assert_array_equal, nnx.to_pure_dict(nnx.state(stage)), before)


@pytest.mark.parametrize("name", [name for name in STAGES if name != "flattened"])
def test_single_units_are_those_of_the_whole_stage(name):
    stage, state = STAGES[name]()
    assert stage.separable
    whole = stage.linear(jax.tree.map(jnp.asarray, state))
    units = jnp.arange(stage.units)
    one_by_one = jax.vmap(stage.linear_of, (None, 0), -1)(jax.tree.map(jnp.asarray, state), units)
    assert_close(one_by_one, features_of(whole))
    answers = jax.vmap(stage.nonlinear_of, -1, -1)(one_by_one)
    assert_close(answers, features_of(stage.nonlinear(whole)))
    assert (features_of(whole) < 0).any()


@settings(max_examples=6)
@given(
    size=st.tuples(st.integers(5, 9), st.integers(5, 9)),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    stride=st.integers(1, 4),
    pads=st.tuples(*[st.tuples(st.integers(0, 2), st.integers(0, 2))] * 2),
)
def test_a_convolution_with_one_output_is_xlas(size, kernel, stride, pads):
    random = np.random.default_rng(0)
    maps = random.normal(size=(2, *size, 3)).astype(np.float32)
    weights = random.normal(size=(*kernel, 3)).astype(np.float32)

    @jax.jit
    def both(maps, weights):
        expected = jax.lax.conv_general_dilated(
            maps,
            weights[..., None],
            (stride, stride),
            pads,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        return convolve_to_one(maps, weights, stride, pads), expected[..., 0]

    assert_close(*both(maps, weights))


def one_slope_a_unit(numbers):
    slopes = jnp.asarray([0.1, 0.2, 0.3, 0.4]).reshape(*(1,) * (numbers.ndim - 1), 4)
    return jnp.maximum(numbers, slopes * numbers)


@pytest.mark.parametrize(
    ("activation", "separable"),
    [
        (jax.nn.relu, True),
        (jax.nn.gelu, True),
        (lambda numbers: numbers + 1, True),
        (None, True),
        (jax.nn.softmax, False),
        (lambda numbers: numbers - numbers.mean(0, keepdims=True), False),
        (one_slope_a_unit, False),
    ],
)
def test_a_non_linearity_over_several_numbers_is_not_separable(activation, separable):
    assert convolution(activation=activation).separable == separable
    assert Dense(CHANNELS, 4, activation=activation, rngs=rngs()).separable == separable
    assert Branch(convolution(activation=activation)).separable == separable


@pytest.mark.parametrize(
    ("size", "kernel", "strides", "padding"),
    [
        ((1, 1), 3, 1, "SAME"),
        ((2, 2), 3, 1, "SAME"),
        ((2, 6), 3, 2, "SAME"),
        ((6, 2), 3, 2, 1),
        ((4, 3), 5, 1, 2),
    ],
)
def test_maps_smaller_than_the_kernel_are_convolved_as_xla_does(size, kernel, strides, padding):
    stage = convolution(size=kernel, strides=strides, padding=padding, activation=None)
    maps = jnp.asarray(np.random.default_rng(0).normal(size=(2, *size, CHANNELS)), jnp.float32)

    def ours(maps, kernel):
        return with_parameter(stage, "kernel", kernel)(maps)

    def xlas(maps, kernel):
        pads = padding if isinstance(padding, str) else [(padding, padding)] * 2
        return jax.lax.conv_general_dilated(
            maps, kernel, (strides, strides), pads, dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    def with_derivatives(convolve, maps, kernel):
        output, pullback = jax.vjp(convolve, maps, kernel)
        return output, *pullback(jnp.cos(output))

    found, expected = (
        jax.jit(with_derivatives, static_argnums=0)(convolve, maps, stage.kernel[...])
        for convolve in (ours, xlas)
    )
    assert_close(found, expected)


def test_batch_norm_in_evaluation_is_flaxs():
    stage = normed(convolution(batch_norm=True))
    bare = convolution()
    bare.kernel[...] = stage.kernel[...]
    expected = jax.nn.relu(stage.norm(bare.linear(jnp.asarray(MAPS)), use_running_average=True))
    np.testing.assert_allclose(stage(jnp.asarray(MAPS)), expected, rtol=1e-5, atol=1e-5)


def test_a_network_is_measured_with_its_running_averages(few_digits):
    network, few_digits = small_convnet(batch_norm=True), ju.data.subset(few_digits, np.arange(8))
    mask = np.arange(network.layers["conv3"].units)[None] > 0
    usual = ju.ablation.sweep(network, "conv3", few_digits, mask)
    training = nnx.view(network, use_running_average=False)
    measured = ju.ablation.sweep(training, "conv3", few_digits, mask)
    np.testing.assert_array_equal(measured.loss_sum, usual.loss_sum)
    image = jnp.linspace(0, 1, 2 * 784).reshape(2, 28, 28, 1)
    assert float(jnp.abs(network(image) - training(image)).max()) > 0


def test_pools_equal_a_loop_over_windows():
    maps = jnp.asarray(MAPS)
    padded = np.pad(MAPS, [(0, 0), (1, 1), (1, 1), (0, 0)], constant_values=-np.inf)
    largest = MaxPool(3, 2, padding=1)(maps)
    mean = AveragePool(3, 2)(maps)
    assert largest.shape == (3, 4, 3, CHANNELS)
    assert mean.shape == (3, 3, 2, CHANNELS)
    for row in range(4):
        for column in range(3):
            window = padded[:, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
            np.testing.assert_array_equal(largest[:, row, column], window.max((1, 2)))
    for row in range(3):
        for column in range(2):
            window = MAPS[:, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
            np.testing.assert_allclose(mean[:, row, column], window.mean((1, 2)), rtol=1e-5)
    np.testing.assert_allclose(AveragePool(None)(maps), MAPS.mean((1, 2)), rtol=1e-4, atol=1e-6)


def test_the_derivative_of_a_padded_max_pool_is_xlas():
    maps = jnp.asarray(MAPS)
    weights = jnp.asarray(np.random.default_rng(3).normal(size=(3, 4, 3, CHANNELS)), jnp.float32)

    def windowed(maps):
        return (nnx.max_pool(maps, (3, 3), (2, 2), [(1, 1), (1, 1)]) * weights).sum()

    def ours(maps):
        return (MaxPool(3, 2, padding=1)(maps) * weights).sum()

    np.testing.assert_allclose(jax.grad(ours)(maps), jax.grad(windowed)(maps), rtol=1e-5)


@pytest.mark.parametrize("shape", [(3, 3, 1, 8), (5, 7), (4096, 2), (3, 3, 64, 9)])
@pytest.mark.parametrize("activation", [jax.nn.relu, None])
def test_kernels_start_as_flax_draws_them(shape, activation):
    make = nnx.initializers.he_normal if activation else nnx.initializers.lecun_normal
    kernel = initial_kernel(nnx.Rngs(3), shape, activation)
    expected = make()(nnx.Rngs(3).params(), shape)
    # A deviation is rounded and a product with it.
    np.testing.assert_allclose(kernel, expected, rtol=3 * np.finfo(np.float32).eps)
