"""Images of whole layers: what is known of them, and that nothing but the question changes them."""

import dataclasses
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import safetensors.numpy
from flax import linen as nn
from flax import nnx

import jaxunits as ju
from jaxunits.synthesis import ROBUST, Method, _climb
from tests.benchmarks.networks import with_random_weights
from tests.chains import chain, changed, flatten

pytestmark = pytest.mark.slow

FEW = Method(steps=6)


def dense(kernel, bias, activation=jax.nn.relu):
    """One dense layer that reads a row of gray pixels."""
    kernel, rngs = jnp.asarray(kernel, jnp.float32), nnx.Rngs(0)
    inputs, units = kernel.shape
    network = chain(
        ju.data.Preprocessing(size=(1, inputs), channels=1),
        flatten=flatten,
        fc1=nnx.Linear(inputs, units, rngs=rngs),
        activation1=activation,
        logits=nnx.Linear(units, 2, rngs=rngs),
    )
    bias = jnp.asarray(bias, jnp.float32)
    return ju.networks.with_arrays(network, {"fc1.kernel": kernel, "fc1.bias": bias})


def convnet(channels):
    size = ju.data.Preprocessing(size=(8, 6), channels=channels, mean=(0.4,), std=(0.3,))
    return with_random_weights(
        lambda: ju.networks.convnet(3, widths=(4, 5), pool_after=("conv1",), preprocessing=size), 0
    )


@pytest.fixture(scope="module")
def color():
    return convnet(3)


@pytest.fixture(scope="module")
def wide():
    """12 units of either sign, which read 48 pixels."""
    random = np.random.default_rng(0)
    return dense(random.normal(size=(48, 12)), np.zeros(12), activation=lambda x: x)


# Answers to pixels p and q: p, 2p, q, p/2 + 2q, and a unit that is dead everywhere.
KNOWN = np.asarray([[1, 2, 0, 0.5, -1], [0, 0, 1, 2, 0]])


@pytest.mark.parametrize(
    ("objective", "images", "answers", "substitution"),
    [
        (
            "am",
            [[1, 0.5], [1, 0.5], [0.5, 1], [1, 1]],
            [[1, 2, 0.5, 1.5, 0], [1, 2, 0.5, 1.5, 0], [0.5, 1, 1, 2.25, 0], [1, 2, 1, 2.5, 0]],
            [0.4, 0, 0.2, 0],
        ),
        (
            "iam",
            [[1, 0], [1, 0], [0, 1], [0, 1]],
            [[1, 2, 0, 0.5, 0], [1, 2, 0, 0.5, 0], [0, 0, 1, 2, 0], [0, 0, 1, 2, 0]],
            [0.2, 0, 0.2, 0],
        ),
    ],
)
def test_a_layer_worked_out_by_hand(objective, images, answers, substitution):
    """Pixels that a unit does not read stay mid gray under AM, and are put out under IAM."""
    network = dense(KNOWN, [0, 0, 0, 0, -1])
    result = ju.synthesis.maximize(network, "fc1", objective=objective, method=Method(noise=0.0))
    np.testing.assert_allclose(result.image[:4, 0, :, 0], images, atol=1e-3)
    np.testing.assert_allclose(result.response[:4], answers, atol=3e-3)
    np.testing.assert_array_equal(result.active, [True] * 4 + [False])
    assert result.image[4].isnull().all()
    assert result.response[4].isnull().all()
    own = np.diag(np.asarray(answers))
    others = (np.sum(answers, 1) - own) / 4
    expected = own if objective == "am" else own - others
    np.testing.assert_allclose(result.objective[:4], expected, atol=3e-3)
    np.testing.assert_allclose(result.activation[:4], own, atol=3e-3)
    rs = ju.results.representative_substitution(result).rs
    np.testing.assert_allclose(rs[:4], substitution)
    assert np.isnan(rs[4])


def test_a_dead_unit_wakes_by_what_goes_into_it():
    network = dense([[1, 1], [-1, 0]], [-0.5, 0])
    start = {"method": Method(noise=0.0), "units": [0]}
    awake = ju.synthesis.maximize(network, "fc1", **start)
    np.testing.assert_array_equal(awake.image[0, 0, :, 0], [1, 0])
    assert float(awake.activation[0]) == 0.5
    start["method"] = Method(noise=0.0, wake=False)
    assert not ju.synthesis.maximize(network, "fc1", **start).active.any()
    # Of several starts one is alive.
    start["method"] = Method(noise=0.4, wake=False)
    several = ju.synthesis.maximize(network, "fc1", num_starts=6, **start)
    assert float(several.activation[0]) == 0.5
    assert (several.objective_of_start == 0).any()


def test_the_best_start_is_kept():
    """Two hills, at black and at white; the start decides which one is climbed."""
    network = dense([[1.0]], [-0.4], activation=jnp.square)
    result = ju.synthesis.maximize(network, "fc1", num_starts=16)
    hills = result.objective_of_start[0]
    np.testing.assert_allclose(sorted(set(hills.values.round(4))), [0.16, 0.36])
    assert float(result.objective[0]) == float(hills.max())
    assert int(result.best_start[0]) == int(hills.values.argmax())
    assert float(result.image[0, 0, 0, 0]) == 1


def test_each_objective_is_higher_on_its_own_images(trained):
    """They start from one another's images with small steps, so that both climb the same hill."""
    near = {"method": Method(steps=128, learning_rate=0.005)}
    am = ju.synthesis.maximize(trained, "conv3")
    iam = ju.synthesis.maximize(trained, "conv3", objective="iam", initial=am, **near)
    am = ju.synthesis.maximize(trained, "conv3", initial=iam, **near)
    both = am.active & iam.active
    assert both.mean() > 0.8
    assert (iam.objective > independent(am))[both].mean() >= 0.95
    assert (am.activation > iam.activation)[both].mean() >= 0.95


def independent(result):
    """The objective of IAM on any images."""
    others = result.response.sum("responding_unit") - result.activation
    return result.activation - others / (result.sizes["responding_unit"] - 1)


@pytest.mark.parametrize(
    ("layer", "method"), [("conv2", FEW), ("conv1", dataclasses.replace(ROBUST, steps=6))]
)
def test_images_depend_on_seed_unit_and_start_alone(color, layer, method):
    common = {"objective": "iam", "method": method, "num_starts": 2, "seed": 3}
    whole = ju.synthesis.maximize(color, layer, **common)
    steps = []
    part = ju.synthesis.maximize(
        color,
        layer,
        [3, 1, 2],
        batch_size=4,
        progress=lambda *done: steps.append(done),
        **common,
    )
    assert part.attrs["batch_size"] == 3
    assert part.unit.values.tolist() == [3, 1, 2]
    for name in ("image", "standardized", "response", "objective", "ascent", "objective_of_start"):
        np.testing.assert_allclose(part[name], whole[name].sel(unit=part.unit), atol=1e-4)
    assert steps[-1] == (36, 36)
    assert [done for done, _ in steps] == [*range(3, 37, 3)]


def test_the_same_seed_gives_the_same_bits():
    network = dense([[1, 0.5], [2, -1]], [0, 0])
    one, again, other = (
        ju.synthesis.maximize(network, "fc1", method=FEW, seed=seed) for seed in (3, 3, 4)
    )
    assert again.drop_attrs().identical(one.drop_attrs())
    part = ju.synthesis.maximize(network, "fc1", [1], method=FEW, seed=3)
    np.testing.assert_array_equal(part.image[0], one.image[1])
    assert abs(other.image - one.image).max() > 0.01


@pytest.mark.parametrize("channels", [2, 3])
def test_what_is_reported_is_what_the_network_answers(channels, tmp_path):
    network = convnet(channels)
    result = ju.synthesis.maximize(network, "conv2", method=FEW, activation="max")
    assert result.image.shape == (5, 8, 6, channels)
    assert result.image.min() >= 0
    assert result.image.max() <= 1
    seen = network.preprocessing.standardize(result.image.values)
    np.testing.assert_allclose(result.standardized, seen, atol=1e-5)
    maps = network.activations(jnp.asarray(seen), "conv2")
    np.testing.assert_allclose(result.response, maps.max((1, 2)), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(result.activation, np.diag(result.response))
    assert (result.ascent[:, -1] > result.ascent[:, 0]).all()
    np.testing.assert_array_equal(result.ascent[:, -1], result.objective)
    ju.results.write(result, tmp_path / "images.nc")
    assert ju.results.read(tmp_path / "images.nc").equals(result)


def test_layers_behind_are_not_evaluated(color):
    broken = color
    for name in ("conv2.kernel", "logits.kernel"):
        broken = changed(broken, name, lambda kernel: jnp.full_like(kernel, 3e38))
    left, right = (ju.synthesis.maximize(each, "conv1", method=FEW) for each in (color, broken))
    np.testing.assert_array_equal(left.image, right.image)


@pytest.mark.parametrize(
    "optimizer", ["gradient", "adam", optax.chain(optax.trace(0.9), optax.scale(-0.05))]
)
def test_other_optimizers_climb_too(wide, optimizer):
    method = Method(steps=20, optimizer=optimizer, learning_rate=optax.constant_schedule(0.05))
    result = ju.synthesis.maximize(wide, "fc1", method=method)
    assert (result.ascent[:, -1] > result.ascent[:, 0]).all()
    assert '"learning_rate": "schedule"' in result.attrs["method"]


def test_whether_an_ascent_still_rises():
    network = dense([[1.0, 0.9], [1.0, 0.8]], [0, 0])
    slow = Method(steps=20, optimizer="gradient", learning_rate=optax.constant_schedule(0.01))
    assert ju.synthesis.maximize(network, "fc1", method=slow).rising.all()
    assert not ju.synthesis.maximize(network, "fc1").rising.any()


def test_images_to_start_from(wide):
    still = {"method": Method(steps=1, learning_rate=1e-6)}
    photograph = np.random.default_rng(0).uniform(0, 1, (1, 48, 1)).astype(np.float32)
    one = ju.synthesis.maximize(wide, "fc1", initial=photograph, num_starts=2, **still)
    first = one.isel(unit=np.flatnonzero(one.best_start == 0))
    assert 0 < first.sizes["unit"] < 12
    np.testing.assert_allclose(first.image[0], photograph, atol=1e-4)
    each = ju.synthesis.maximize(wide, "fc1", [3, 1], initial=one, **still)
    np.testing.assert_allclose(each.image, one.image.sel(unit=[3, 1]), atol=1e-4)
    # A unit without an image there starts from noise round gray.
    one["image"][3] = np.nan
    noisy = ju.synthesis.maximize(wide, "fc1", [3, 1], initial=one, **still)
    fresh = ju.synthesis.maximize(wide, "fc1", [3, 1], **still)
    np.testing.assert_allclose(noisy.image[0], fresh.image[0], atol=1e-5)
    np.testing.assert_allclose(noisy.image[1], each.image[1], atol=1e-5)


def test_memory_stays_within_its_budget(wide):
    whole = ju.synthesis.maximize(wide, "fc1", method=FEW)
    # The two chunks that climb side by side do not fit, nor does one of them.
    budget = whole.attrs["peak_bytes"] // 3
    part = ju.synthesis.maximize(wide, "fc1", method=FEW, max_memory=budget)
    assert part.attrs["batch_size"] < whole.attrs["batch_size"]
    assert part.attrs["peak_bytes"] <= budget
    np.testing.assert_allclose(part.image, whole.image, atol=1e-4)
    with pytest.raises(ju.InputError) as caught:
        ju.synthesis.maximize(wide, "fc1", [0], method=FEW, max_memory=100)
    assert "max_memory=100: one image for a unit of layer 'fc1' takes" in str(caught.value)


def test_memory_that_runs_out_on_the_way(wide, monkeypatch):
    """The images of the batch start anew, fewer at once, and are the same."""
    ask = {"method": FEW, "num_starts": 4}
    whole = ju.synthesis.maximize(wide, "fc1", **ask)

    def run_out(values, units, when, place):
        if len(values) > 8 and when == "before step 3":
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")

    monkeypatch.setattr(_climb, "check_finite", run_out)
    told = []
    part = ju.synthesis.maximize(wide, "fc1", progress=lambda *both: told.append(both), **ask)
    assert whole.attrs["batch_size"] > part.attrs["batch_size"] == 8
    assert part.drop_attrs().identical(whole.drop_attrs())
    assert told == sorted(set(told))
    assert told[-1] == (288, 288)


def test_another_question_to_a_file(wide, tmp_path):
    ask = {"method": FEW, "file": tmp_path / "a.nc"}
    ju.synthesis.maximize(wide, "fc1", **ask)
    for other, message in (
        ({"units": [3]}, "units is"),
        ({"num_starts": 2}, "num_starts is '1' there and '2' now"),
        ({"seed": 1}, "seed is '0' there and '1' now"),
        ({"objective": "iam"}, "maximized is 'am' there and 'iam' now"),
        ({"initial": np.full((1, 48, 1), 0.5)}, "initial is 'gray' there"),
        ({"method": Method(steps=7)}, "method is"),
        ({"method": Method(steps=6, optimizer=optax.sgd(0.1))}, "optimizer of a method with file"),
    ):
        with pytest.raises(ju.InputError, match=message):
            ju.synthesis.maximize(wide, "fc1", **{**ask, **other})


def test_what_stops_one_chunk_stops_all(wide):
    """Twelve units climb in batches of eight, on CPUs two at a time; none comes to its end."""
    told = []

    def stop(done, total):
        told.append(done)
        if done > total / 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ju.synthesis.maximize(wide, "fc1", method=Method(steps=4000), progress=stop)
    assert told == sorted(told)
    assert told[-1] < 12 * 4000 * 0.6


def test_programs_serve_other_seeds_and_other_weights(monkeypatch):
    """A network of the same build, and a seed, ask for nothing new; another objective does."""
    compiled = []
    lower = jax.stages.Lowered.compile
    monkeypatch.setattr(
        jax.stages.Lowered, "compile", lambda *given: compiled.append(1) or lower(*given)
    )
    networks = [dense(KNOWN * factor, np.zeros(5)) for factor in (1, 3)]
    ask = {"method": Method(steps=7), "batch_size": 2}
    first, second = (ju.synthesis.maximize(each, "fc1", **ask) for each in networks)
    ju.synthesis.maximize(networks[0], "fc1", seed=1, **ask)
    assert len(compiled) == 3
    np.testing.assert_allclose(second.activation, 3 * first.activation, rtol=1e-4)
    ju.synthesis.maximize(networks[0], "fc1", objective="iam", **ask)
    assert len(compiled) > 3


class Steady:
    """A schedule that has no hash, as dataclasses that are not frozen have none."""

    __hash__ = None

    def __call__(self, step):
        return 0.1


def test_a_method_without_a_hash(wide):
    method = Method(steps=3, learning_rate=Steady())
    made = ju.synthesis.maximize(wide, "fc1", [2], method=method)
    expected = ju.synthesis.maximize(
        wide, "fc1", [2], method=Method(steps=3, learning_rate=optax.constant_schedule(0.1))
    )
    np.testing.assert_array_equal(made.image, expected.image)


class LinenNet(nn.Module):
    @nn.compact
    def __call__(self, images):
        x = nn.relu(nn.Dense(4, name="hidden")(images.reshape(len(images), -1)))
        return nn.Dense(2)(x)


def test_a_network_of_ones_own():
    """A function that takes masks may keep its activations to itself."""
    module, size = LinenNet(), ju.data.Preprocessing(size=(2, 2), channels=1)
    variables = module.init(jax.random.key(0), jnp.zeros((1, 2, 2, 1)))
    network = ju.networks.from_linen(module, variables, preprocessing=size)
    result = ju.synthesis.maximize(network, "hidden", method=Method(steps=64))
    kernel = np.asarray(variables["params"]["hidden"]["kernel"])
    np.testing.assert_allclose(result.activation, kernel.clip(0).sum(0), rtol=1e-5)
    np.testing.assert_array_equal(result.image.values.reshape(4, 4).T, kernel > 0)
    by_hand = ju.networks.from_callable(
        lambda params, images, masks: (
            images.reshape(len(images), -1) @ (params * masks["hidden"][:, None])
        ),
        jnp.ones((4, 2)),
        layers={"hidden": 4},
        preprocessing=size,
    )
    with pytest.raises(ju.InputError) as caught:
        ju.synthesis.maximize(by_hand, "hidden")
    assert "layer 'hidden' does not show its activations" in str(caught.value)


@pytest.mark.skipif(
    "JAXUNITS_TEST_DATA" not in os.environ, reason="JAXUNITS_TEST_DATA names no folder"
)
def test_images_for_alexnets_filters_are_the_filters():
    """With a penalty on the distance from gray the best image is the filter itself."""
    folder = Path(os.environ["JAXUNITS_TEST_DATA"]) / "weights"
    path = folder / "alexnet_imagenet_features.safetensors"
    if not path.exists():
        pytest.skip(f"{path} does not exist")
    arrays, rngs = safetensors.numpy.load_file(path), nnx.Rngs(0)
    kernel = arrays["features.0.weight"].transpose(2, 3, 1, 0)
    mean, std = (np.asarray(values) for values in (ju.data.IMAGENET.mean, ju.data.IMAGENET.std))
    network = chain(
        dataclasses.replace(ju.data.IMAGENET, size=(11, 11), resize=None),
        conv1=nnx.Conv(3, 64, (11, 11), padding=0, rngs=rngs),
        relu1=jax.nn.relu,
        flatten=flatten,
        logits=nnx.Linear(64, 2, rngs=rngs),
    )
    first = {"conv1.kernel": kernel, "conv1.bias": arrays["features.0.bias"]}
    network = ju.networks.with_arrays(network, jax.tree.map(jnp.asarray, first))
    # The best image of all is black and white: each pixel by the sign of its weight.
    plain = ju.synthesis.maximize(network, "conv1", range(8))
    weights = kernel / std[:, None]
    gray = arrays["features.0.bias"] - (weights * mean[:, None]).sum((0, 1, 2))
    best = (gray + weights.clip(0).sum((0, 1, 2)))[:8]
    np.testing.assert_allclose(plain.activation, best, rtol=1e-4)
    units = list(range(0, 64, 8))
    result = ju.synthesis.maximize(network, "conv1", units, method=Method(l2=700.0))
    assert result.active.all()
    for unit, image in zip(units, result.image.values, strict=True):
        filters = image.ravel(), kernel[..., unit].ravel()
        assert np.corrcoef(*filters)[0, 1] >= 0.95
