import gc

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jaxunits as ju
from jaxunits.topology import _layer as layer_module
from tests.benchmarks.networks import with_random_weights
from tests.chains import average, chain, flatten
from tests.reference import SMALL, images_of, small_convnet
from tests.topology.gudhi_holes import births_by_gudhi

pytestmark = pytest.mark.slow

layer_birth_points = ju.topology.layer_birth_points


@pytest.fixture(scope="module")
def network():
    return with_random_weights(small_convnet, 0)


@pytest.fixture(scope="module")
def births(network, few_digits):
    images = jnp.asarray(images_of(few_digits, SMALL)[0], jnp.float32)
    maps = np.asarray(network.activations(images, "conv2"))
    return ju.topology.birth_points(maps, method="ripser")


def assert_nearly_all(found, expected):
    """Convolutions of another batch round otherwise, which swaps values that are nearly equal.

    91 values of one map are ranked: few of 2,400 maps have two of them within rounding.
    """
    assert (found == expected).mean() > 0.95


@pytest.mark.parametrize("method", ["auto", "ripser"])
def test_equals_the_birth_points_of_all_maps(network, few_digits, births, method):
    calls = []
    result = layer_birth_points(
        network,
        "conv2",
        few_digits,
        method=method,
        batch_size=128,
        progress=lambda done, images: calls.append((done, images)),
    )
    assert result.birth_point.dims == ("image", "unit")
    assert_nearly_all(result.birth_point.values, births)
    assert calls == [(128, 300), (256, 300), (300, 300)]
    classes = [few_digits.class_names[label] for label in few_digits.labels]
    assert result["class"].values.tolist() == classes
    assert result.attrs["layer"] == "conv2"
    assert result.attrs["convention"] == "paper"


def test_the_conventions_of_a_layer(network, few_digits):
    some = ju.data.subset(few_digits, range(40))
    ranks = layer_birth_points(network, "conv2", some).birth_point.values
    result = layer_birth_points(network, "conv2", some, limit=9, convention="authors")
    assert (ranks == 10).sum() > 0
    np.testing.assert_array_equal(result.birth_point, np.where(ranks <= 10, ranks - 1, 0).clip(0))


def both_signs():
    rngs = nnx.Rngs(0)
    return chain(
        SMALL,
        conv1=nnx.Conv(1, 6, (3, 3), rngs=rngs),
        relu1=nnx.relu,
        pool1=pooled,
        conv2=nnx.Conv(6, 8, (3, 3), rngs=rngs),
        tanh2=jnp.tanh,
        pool=average,
        logits=nnx.Linear(8, 10, rngs=rngs),
    )


def pooled(maps):
    return nnx.max_pool(maps, (2, 2), (2, 2))


@pytest.mark.parametrize("method", ["auto", "ripser"])
def test_a_layer_of_both_signs_by_the_authors(few_digits, method):
    network = both_signs()
    some = ju.data.subset(few_digits, range(40))
    maps = np.asarray(
        network.activations(jnp.asarray(images_of(some, SMALL)[0], jnp.float32), "conv2")
    )
    assert (maps < 0).any()
    by_authors = births_by_gudhi(maps, limit=51, signed=True)
    result = layer_birth_points(network, "conv2", some, method=method, convention="authors")
    # Convolutions of another batch round otherwise, which can change a rank.
    assert (result.birth_point.values == np.maximum(by_authors - 1, 0)).mean() > 0.99
    assert (result.birth_point.values != np.maximum(births_by_gudhi(maps) - 1, 0)).mean() > 0.1


def test_arrays_on_the_device_do_not_grow_with_the_images(network, few_digits):
    def most_held(images):
        held = []
        gc.collect()
        layer_birth_points(
            network,
            "conv2",
            ju.data.subset(few_digits, range(images)),
            batch_size=10,
            progress=lambda *_: held.append(sum(array.nbytes for array in jax.live_arrays())),
        )
        assert len(held) == images // 10
        return max(held)

    # Three batches are under way at most.
    assert most_held(300) < 2 * most_held(50)


class Described(nnx.Conv):
    """A convolution whose settings have no hash."""

    def __init__(self, **settings):
        super().__init__(1, 8, (3, 3), **settings)
        self.settings = nnx.static({"purpose": "a test"})


def test_a_network_without_a_hash(few_digits):
    rngs = nnx.Rngs(0)
    network = chain(
        SMALL,
        conv1=Described(rngs=rngs),
        relu1=nnx.relu,
        flatten=flatten,
        logits=nnx.Linear(8 * 784, 10, rngs=rngs),
    )
    some = ju.data.subset(few_digits, range(8))
    births = layer_birth_points(network, "conv1", some).birth_point.values
    images = jnp.asarray(images_of(some, SMALL)[0], jnp.float32)
    maps = np.asarray(network.activations(images, "conv1"))
    assert_nearly_all(births, ju.topology.birth_points(maps))


def test_layers_without_square_maps(few_digits):
    dense = with_random_weights(
        lambda: ju.networks.mlp(10, widths=(6,), preprocessing=SMALL), seed=0
    )
    with pytest.raises(ju.InputError) as caught:
        layer_birth_points(dense, "fc1", few_digits)
    assert "maps of layer 'fc1' are single numbers" in str(caught.value)
    wide = ju.data.Preprocessing(size=(16, 20), channels=1)
    network = with_random_weights(lambda: small_convnet(preprocessing=wide), seed=0)
    with pytest.raises(ju.InputError) as caught:
        layer_birth_points(network, "conv2", few_digits)
    assert "maps of layer 'conv2' are 8×10: feature topology" in str(caught.value)


def test_what_cannot_be_asked(network, few_digits):
    for arguments, expected in (
        ({"layer": "conv9"}, "Did you mean"),
        ({"layer": "conv2", "limit": 0}, "limit=0"),
        ({"layer": "conv2", "batch_size": 0}, "batch_size=0"),
    ):
        with pytest.raises(ju.InputError) as caught:
            layer_birth_points(network, data=few_digits, **arguments)
        assert expected in str(caught.value)
    hidden = ju.networks.from_callable(
        lambda params, images, masks: images[:, :10, 0, 0] + masks.get("conv2", jnp.ones(8)).sum(),
        {},
        layers={"conv2": 8},
        preprocessing=SMALL,
    )
    with pytest.raises(ju.InputError) as caught:
        layer_birth_points(hidden, "conv2", few_digits)
    assert "does not show its activations" in str(caught.value)


def test_values_that_are_not_finite_are_reported(few_digits):
    network = with_random_weights(small_convnet, 0)
    network = ju.networks.with_arrays(network, {"conv2.bias": jnp.full(8, jnp.inf)})
    with pytest.raises(ju.InputError) as caught:
        layer_birth_points(network, "conv2", few_digits, batch_size=128)
    assert "parameter conv2.bias of network 'convnet' holds NaN or infinity" in str(caught.value)


def _counting(function, calls):
    def counted(*given, **named):
        calls.append(1)
        return function(*given, **named)

    return counted


def test_a_program_serves_all_networks_of_a_build(few_digits, monkeypatch):
    traced = []
    find = layer_module.find
    monkeypatch.setattr(layer_module, "find", _counting(find, traced))
    some = ju.data.subset(few_digits, range(24))
    networks = [with_random_weights(small_convnet, seed) for seed in (5, 6)]
    first = layer_birth_points(networks[0], "conv2", some, limit=43)
    before = len(traced)
    assert before
    second = layer_birth_points(networks[1], "conv2", some, limit=43)
    assert len(traced) == before
    assert (first.birth_point.values != second.birth_point.values).any()
    images = jnp.asarray(images_of(some, SMALL)[0], jnp.float32)
    maps = np.asarray(networks[1].activations(images, "conv2"))
    expected = ju.topology.birth_points(maps, limit=43)
    assert_nearly_all(second.birth_point.values, expected)
