"""Regularizers, dropout and batch norm in training, against sums written out in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxunits as ju
from jaxunits.train.config import SGD, Config, Schedule
from jaxunits.train.networks import MLP, ConvNet
from jaxunits.train.optimizers import build_optimizer
from jaxunits.train.regularizers import Regularizers, mean_selectivity, penalty
from jaxunits.train.step import (
    build_step,
    initial_state,
    network_arrays,
    with_arrays,
)
from tests.reference import SMALL

pytestmark = pytest.mark.slow

CLASSES = 4
LABELS = np.asarray([0, 1, 1, 3, 0, 1, 3, 3], np.int32)
# Of initial weights: what training does holds for each, and by a wide gap for their mean.
SEEDS = (0, 1, 2)
VALID = np.asarray([True] * 6 + [False] * 2)


def selectivity_by_hand(activations, labels, valid):
    """Morcos et al.'s index of every unit, one unit and class after another, in float64."""
    values = []
    for unit in np.asarray(activations, np.float64).T:
        means = [unit[valid & (labels == k)].mean() for k in np.unique(labels[valid])]
        best = int(np.argmax(means))
        rest = np.mean([mean for k, mean in enumerate(means) if k != best])
        values.append((means[best] - rest) / (means[best] + rest + 1e-7))
    return np.mean(values)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**16), dead=st.booleans())
def test_selectivity_in_a_batch_is_that_of_its_valid_images(seed, dead):
    activations = np.random.default_rng(seed).exponential(size=(8, 5)).astype(np.float32)
    if dead:
        activations[:, 2] = 0
    found = mean_selectivity(
        jnp.asarray(activations), jnp.asarray(LABELS), jnp.asarray(VALID), CLASSES
    )
    assert float(found) == pytest.approx(selectivity_by_hand(activations, LABELS, VALID), rel=1e-4)


def test_class_selectivity_is_the_equation_of_the_paper():
    means = np.asarray([[3.0, 1.0, 2.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.0, 5.0, 0.0]])
    found = ju.attributes.class_selectivity(jnp.asarray(means, jnp.float32))
    expected = np.zeros_like(means)
    for unit, k in np.ndindex(means.shape):
        rest = np.delete(means[unit], k).mean()
        expected[unit, k] = (means[unit, k] - rest) / (means[unit, k] + rest + 1e-12)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found[3, 1] == 1


def test_absent_classes_do_not_count():
    means = jnp.asarray([[3.0, 9.0, 1.0]])
    present = jnp.asarray([True, False, True])
    found = ju.attributes.class_selectivity(means, present=present)
    np.testing.assert_allclose(found, [[0.5, 0, -0.5]], atol=1e-6)


@pytest.mark.parametrize(
    "settings_",
    [
        Regularizers(l1_weights=0.1),
        Regularizers(l1_activations=0.1),
        Regularizers(class_selectivity=0.1),
        Regularizers(0.1, 0.2, -0.3),
    ],
    ids=["weights", "activations", "selectivity", "all"],
)
def test_the_penalty_is_the_sum_of_its_parts(settings_):
    random = np.random.default_rng(0)
    params = {"a": {"kernel": jnp.asarray(random.normal(size=(3, 2))), "bias": jnp.ones(2)}}
    maps = random.exponential(size=(8, 3, 2, 5)).astype(np.float32)
    dense = random.exponential(size=(8, 6)).astype(np.float32)
    activations = {"conv": jnp.asarray(maps), "fc": jnp.asarray(dense)}
    found = penalty(
        settings_, params, activations, jnp.asarray(LABELS), jnp.asarray(VALID), CLASSES
    )
    spatial = {"conv": maps.mean((1, 2)), "fc": dense}
    expected = settings_.l1_weights * np.abs(params["a"]["kernel"]).sum()
    expected += settings_.l1_activations * np.mean(
        [np.abs(maps[VALID]).mean(), np.abs(dense[VALID]).mean()]
    )
    expected -= settings_.class_selectivity * np.mean(
        [selectivity_by_hand(each, LABELS, VALID) for each in spatial.values()]
    )
    assert float(found) == pytest.approx(expected, rel=1e-4)


def test_dead_units_leave_the_gradient_finite():
    def loss(scale):
        activations = jax.nn.relu(scale * jnp.ones((8, 3)) - 2)
        return mean_selectivity(activations, jnp.asarray(LABELS), jnp.asarray(VALID), CLASSES)

    assert np.isfinite(jax.grad(loss)(1.0))


def trained(network, regularizers=Regularizers(), steps=8, precision="float32", seed=0):  # noqa: B008
    """A network after some steps on one batch of noise."""
    config = Config(
        preprocessing=SMALL,
        network=network,
        optimizer=SGD(learning_rate=0.05),
        schedule=Schedule("constant"),
    )
    built = network.build(CLASSES, SMALL, seed)
    optimizer = build_optimizer(config, 10)
    step = jax.jit(build_step(built, optimizer, precision, regularizers))
    state = initial_state(built, optimizer)
    batch = batch_of_noise()
    key = jax.random.key_data(jax.random.key(0))
    for number in range(steps):
        state, sums = step(state, batch, key, number)
    return built, state, sums


def batch_of_noise():
    images = np.random.default_rng(0).normal(1, 2, (8, 28, 28, 1)).astype(np.float32)
    return ju.data.Batch(images, LABELS, VALID)


def answers(network, state):
    """Spatial means of the last layer's activations on the batch, in evaluation."""
    built = ju.networks.with_arrays(network, network_arrays(state))
    layer = list(built.layers)[-1]
    maps = built.activations(jnp.asarray(batch_of_noise().images), layer)
    return np.asarray(maps).reshape(8, -1, maps.shape[-1]).mean(1)


def test_the_sign_of_the_selectivity_term_decides():
    def selectivity(alpha, seed):
        settings_ = Regularizers(class_selectivity=alpha)
        network, state, _ = trained(ConvNet((16,), ()), settings_, steps=30, seed=seed)
        return selectivity_by_hand(answers(network, state), LABELS, VALID)

    lower, plain, higher = (
        np.asarray([selectivity(alpha, seed) for seed in SEEDS]) for alpha in (-30.0, 0.0, 30.0)
    )
    assert (lower < plain).all()
    assert (plain < higher).all()
    assert lower.mean() < 0.8 * plain.mean()
    assert higher.mean() > 1.2 * plain.mean()


def test_l1_terms_shrink_what_they_name():
    settings_ = (Regularizers(), Regularizers(l1_weights=0.05), Regularizers(l1_activations=2.0))
    plain, heavy, quiet = (
        [trained(MLP((12,)), each, steps=30, seed=seed) for seed in SEEDS] for each in settings_
    )

    def weights(runs):
        return np.asarray(
            [sum(float(abs(leaf).sum()) for leaf in jax.tree.leaves(run[1].params)) for run in runs]
        )

    assert (weights(heavy) < weights(plain)).all()
    assert weights(heavy).mean() < 0.8 * weights(plain).mean()
    for seed in range(len(SEEDS)):
        assert answers(*quiet[seed][:2]).mean() < 0.5 * answers(*plain[seed][:2]).mean()
        assert float(heavy[seed][2].penalty) > 0
        assert float(plain[seed][2].penalty) == 0


def test_batch_norm_learns_running_averages_of_real_images():
    network, state, _ = trained(ConvNet((5,), ("conv1",), batch_norm=True), steps=60)
    kernel = np.asarray(state.params["conv1.kernel"], np.float64)
    images = np.asarray(batch_of_noise().images, np.float64)
    padded = np.pad(images, [(0, 0), (1, 1), (1, 1), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    maps = np.einsum("nhwcij,ijcu->nhwu", windows, kernel, optimize=True)
    maps = maps + np.asarray(state.params["conv1.bias"])
    # The averages lag behind kernels that still move.
    np.testing.assert_allclose(state.statistics["bn1.mean"], maps.mean((0, 1, 2)), atol=0.15)
    np.testing.assert_allclose(state.statistics["bn1.var"], maps.var((0, 1, 2)), rtol=0.2)
    np.testing.assert_array_equal(ju.networks.arrays(network)["bn1.mean"], 0)


def test_running_averages_stay_in_float32_under_bfloat16():
    _, state, _ = trained(ConvNet((5,), (), batch_norm=True), precision="bfloat16")
    assert {leaf.dtype for leaf in jax.tree.leaves((state.params, state.statistics))} == {
        np.dtype("float32")
    }
    mean = np.asarray(state.statistics["bn1.mean"])
    assert (mean != mean.astype(jnp.bfloat16)).any()


def test_evaluation_uses_running_averages_and_no_dropout():
    network, state, _ = trained(
        ConvNet((5,), (), (6,), batch_norm=True, dropout=0.5, channel_dropout={"conv1": 0.5})
    )
    trained_network = ju.networks.with_arrays(network, network_arrays(state))
    images = jnp.asarray(batch_of_noise().images)
    whole = trained_network(images)
    alone = [trained_network(images[index : index + 1]) for index in range(len(images))]
    np.testing.assert_allclose(whole, jnp.concatenate(alone), rtol=1e-4, atol=1e-5)


def test_dropout_draws_anew_every_step_and_for_every_key():
    network = ConvNet((5,), (), (30,), dropout=0.5)
    built = network.build(CLASSES, SMALL, 0)
    config = Config(preprocessing=SMALL, network=network, optimizer=SGD(learning_rate=1e-9))
    optimizer = build_optimizer(config, 10)
    step = jax.jit(build_step(built, optimizer, "float32", Regularizers()))
    state, batch = initial_state(built, optimizer), batch_of_noise()
    keys = [jax.random.key_data(jax.random.key(seed)) for seed in (0, 1)]
    losses = [
        float(step(state, batch, key, number)[1].loss) for key in keys for number in (0, 1, 0)
    ]
    assert losses[0] == losses[2]
    assert len(set(losses)) == 4


def test_arrays_come_apart_and_together_again():
    _, state, _ = trained(ConvNet((5,), (), batch_norm=True), steps=1)
    again = with_arrays(state, network_arrays(state), state.optimizer)
    assert jax.tree.structure(again) == jax.tree.structure(state)
    for left, right in zip(jax.tree.leaves(again), jax.tree.leaves(state), strict=True):
        np.testing.assert_array_equal(left, right)


def test_layers_of_regularizers_have_to_exist():
    network = MLP((5,)).build(CLASSES, SMALL, 0)
    with pytest.raises(ju.InputError, match=r"unknown layer 'fc9': regularizers\.layers: network"):
        Regularizers(class_selectivity=1.0, layers=("fc9",)).check(network)
