"""Networks not written for us run through the sweep as they are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from flax import linen as nn
from flax import nnx

import jaxunits as ju
from tests.outcomes import assert_counts
from tests.reference import SMALL, images_of

pytestmark = pytest.mark.slow


class LinenNet(nn.Module):
    """A user's Linen network: submodules with automatic names, batch norm, dropout."""

    @nn.compact
    def __call__(self, images, train: bool):
        x = nn.Conv(5, (3, 3))(images)
        x = nn.relu(nn.BatchNorm(use_running_average=not train)(x))
        x = nn.max_pool(x, (2, 2), (2, 2)).reshape(len(images), -1)
        x = nn.relu(nn.Dense(40)(x))
        x = nn.Dropout(0.5, deterministic=not train)(x)
        return nn.Dense(10)(x)


class Block(nnx.Module):
    def __init__(self, inputs, outputs, rngs):
        self.conv = nnx.Conv(inputs, outputs, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(outputs, rngs=rngs)

    def __call__(self, x):
        return nnx.relu(self.norm(self.conv(x)))


class NnxNet(nnx.Module):
    """A user's NNX network: blocks in a list, batch norm, dropout."""

    def __init__(self, rngs):
        self.blocks = nnx.List([Block(1, 4, rngs), Block(4, 5, rngs)])
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.head = nnx.Linear(5 * 14 * 14, 10, rngs=rngs)

    def __call__(self, images):
        x = images
        for block in self.blocks:
            x = block(x)
        x = nnx.max_pool(x, (2, 2), (2, 2)).reshape(len(images), -1)
        return self.head(self.dropout(x))


def mlp_by_hand(params, images, masks):
    """A user's function: masks multiply what its layer gives."""
    hidden = jnp.tanh(images.reshape(len(images), -1) @ params["in"])
    mask = masks.get("hidden", jnp.ones(6)).reshape(1, 6)
    return (hidden * mask) @ params["out"]


@pytest.fixture(scope="module")
def images(few_digits):
    images, labels = images_of(few_digits, SMALL)
    return jnp.asarray(images, jnp.float32), labels


def assert_equal_counts(result, unit, logits, labels):
    mask = {result.correct.dims[0]: unit}
    assert_counts(result.isel(mask), np.asarray(logits, np.float64), labels)


def test_a_plain_callable(few_digits, images):
    keys = jax.random.split(jax.random.key(0))
    params = {
        "in": jax.random.normal(keys[0], (784, 6)) / 28,
        "out": jax.random.normal(keys[1], (6, 10)),
    }
    network = ju.networks.from_callable(
        mlp_by_hand, params, layers={"hidden": 6}, preprocessing=SMALL
    )
    result = ju.ablation.sweep(network, "hidden", few_digits)
    for unit in range(6):
        silenced = params | {"out": params["out"].at[unit].set(0)}
        assert_equal_counts(result, unit, mlp_by_hand(silenced, images[0], {}), images[1])
    assert int(abs(result.correct - result.correct_before).sum()) > 0


def test_values_of_a_function_that_takes_masks(few_digits, images):
    params = {"out": jax.random.normal(jax.random.key(0), (784, 10))}

    def function(params, images, masks):
        x = ju.networks.ablate(images.reshape(len(images), -1), masks["pixels"])
        return x @ params["out"]

    network = ju.networks.from_callable(
        function, params, layers={"pixels": 784}, preprocessing=SMALL
    )
    masks = ju.ablation.groups(784, [range(300, 500)])
    result = ju.ablation.sweep(network, "pixels", few_digits, masks, values=np.full(784, 0.5))
    pixels = images[0].reshape(300, -1).at[:, 300:500].set(0.5)
    assert_equal_counts(result, 0, pixels @ params["out"], images[1])


def test_a_linen_module(few_digits, images):
    module = LinenNet()
    variables = module.init(jax.random.key(1), images[0][:2], train=False)
    mean = variables["batch_stats"]["BatchNorm_0"]["mean"]
    variables["batch_stats"]["BatchNorm_0"]["mean"] = mean + 0.3
    network = ju.networks.from_linen(
        module, variables, preprocessing=SMALL, arguments={"train": False}
    )
    after = "post-activation"
    assert list(network.layers.values()) == [
        ju.networks.Layer("Conv_0", 5, (28, 28), after, ("BatchNorm_0",), True),
        ju.networks.Layer("Dense_0", 40, (), after, ("Dropout_0",)),
    ]
    result = ju.ablation.sweep(network, "BatchNorm_0", few_digits)
    assert result.attrs["layer"] == "Conv_0"
    for unit in range(5):
        silenced = jax.tree.map(lambda leaf: leaf, variables)
        for name in ("scale", "bias"):
            vector = silenced["params"]["BatchNorm_0"][name]
            silenced["params"]["BatchNorm_0"][name] = vector.at[unit].set(0)
        logits = module.apply(silenced, images[0], train=False)
        assert_equal_counts(result, unit, logits, images[1])
    assert network.activations(images[0][:3], "Dense_0").shape == (3, 40)


def test_an_nnx_module(few_digits, images):
    module = NnxNet(nnx.Rngs(0))
    before = jax.tree.leaves(nnx.state(module, nnx.Param))
    network = ju.networks.from_nnx(module, preprocessing=SMALL)
    assert {name: layer.aliases for name, layer in network.layers.items()} == {
        "blocks.0.conv": ("blocks.0.norm", "blocks.0"),
        "blocks.1.conv": ("blocks.1.norm", "blocks.1"),
    }
    result = ju.ablation.sweep(network, "blocks.1", few_digits)
    view = nnx.view(module, deterministic=True, use_running_average=True)
    for unit in range(5):
        x = view.blocks[1](view.blocks[0](images[0])).at[..., unit].set(0)
        logits = view.head(nnx.max_pool(x, (2, 2), (2, 2)).reshape(300, -1))
        assert_equal_counts(result, unit, logits, images[1])
    inner = ju.ablation.sweep(network, "blocks.0.norm", few_digits)
    x = view.blocks[0](images[0]).at[..., 2].set(0)
    logits = view.head(nnx.max_pool(view.blocks[1](x), (2, 2), (2, 2)).reshape(300, -1))
    assert_equal_counts(inner, 2, logits, images[1])
    masks = {"blocks.0": jnp.ones(4).at[2].set(0), "blocks.1": jnp.ones(5).at[0].set(0)}
    x = view.blocks[1](x).at[..., 0].set(0)
    logits = view.head(nnx.max_pool(x, (2, 2), (2, 2)).reshape(300, -1))
    np.testing.assert_allclose(network(images[0], masks), logits, atol=1e-5)
    after = jax.tree.leaves(nnx.state(module, nnx.Param))
    assert all(bool((a == b).all()) for a, b in zip(before, after, strict=True))


def through_a_door(door, images):
    """A network that was not written for us, and a layer of it with few units."""
    if door == "nnx":
        return ju.networks.from_nnx(NnxNet(nnx.Rngs(0)), preprocessing=SMALL), "blocks.1"
    if door == "linen":
        variables = LinenNet().init(jax.random.key(1), images[:2], train=False)
        return ju.networks.from_linen(
            LinenNet(), variables, preprocessing=SMALL, arguments={"train": False}
        ), "BatchNorm_0"
    params = {"in": jnp.eye(784, 6), "out": jnp.eye(6, 10)}
    return ju.networks.from_callable(
        mlp_by_hand, params, layers={"hidden": 6}, preprocessing=SMALL
    ), "hidden"


@pytest.mark.parametrize("door", ["callable", "linen", "nnx"])
def test_results_are_files_and_tables(door, few_digits, images, tmp_path):
    network, layer = through_a_door(door, images[0])
    file = tmp_path / "result.nc"
    result = ju.ablation.sweep(network, layer, few_digits, file=file)
    xr.testing.assert_identical(ju.ablation.sweep(network, layer, few_digits, file=file), result)
    assert {path.name for path in tmp_path.iterdir()} == {"result.nc", "result.timing.json"}
    table = ju.results.table(result)
    np.testing.assert_array_equal(table.index, result.unit)
    np.testing.assert_array_equal(table.max_class_accuracy_drop, result.max_class_accuracy_drop)
    eight = result.set_xindex("class_index").sel(class_index=8)
    np.testing.assert_array_equal(eight.correct, result.correct.sel({"class": "8"}))


def test_top_images_look_into_them_too(few_digits, images):
    network = ju.networks.from_nnx(NnxNet(nnx.Rngs(0)), preprocessing=SMALL)
    top = ju.attributes.top_images(network, "blocks.1.norm", few_digits, [3], num_images=2)
    assert top.activation_map.shape == (1, 2, 28, 28)


def message(function, *args, **kwargs):
    with pytest.raises(ju.InputError) as caught:
        function(*args, **kwargs)
    return str(caught.value)


def test_functions_that_are_no_networks(few_digits):
    door = ju.networks.from_callable
    assert "cannot be called as function(params, images, masks)" in message(
        door, lambda images: images, {}, layers={"a": 1}, preprocessing=SMALL
    )
    assert "gives (2, 28, 28, 1) for two images: expected logits [images, classes]" in message(
        door, lambda params, images, masks: images, {}, layers={"a": 1}, preprocessing=SMALL
    )


def test_layers_and_values_that_a_callable_lacks(few_digits):
    params = {"in": jnp.ones((784, 6)), "out": jnp.ones((6, 10))}

    def squared(params, images, masks):
        hidden = images.reshape(len(images), -1) @ params["in"]
        return hidden @ (params["out"] * (masks["hidden"] ** 2)[:, None])

    network = ju.networks.from_callable(squared, params, layers={"hidden": 6}, preprocessing=SMALL)
    assert network.layers["hidden"].unit_is == "unknown"
    sweep = ju.ablation.sweep
    assert "unknown layer 'hiden': network 'callable' has hidden." in message(
        sweep, network, "hiden", few_digits
    )
    for values, words in (
        (np.ones(6), "cannot be ablated to values other than zero"),
        ("mean", "does not show its activations"),
        ("resample", "does not show its activations"),
    ):
        assert words in message(sweep, network, "hidden", few_digits, values=values)
    assert sweep(network, "hidden", few_digits).sizes["unit"] == 6


def refused_as_probabilities(call):
    with pytest.raises(ju.InputError) as caught:
        call()
    assert (
        "gives numbers that are all non-negative and sum to one: these look like probabilities, "
        "and the loss takes the softmax itself. Leave the softmax at its end out, or give "
        "allow_probabilities=True"
    ) in str(caught.value)


class LinenSoftmax(nn.Module):
    @nn.compact
    def __call__(self, images):
        hidden = nn.relu(nn.Dense(9)(images.reshape(len(images), -1)))
        return nn.softmax(nn.Dense(10)(hidden))


class NnxSoftmax(nnx.Module):
    def __init__(self, rngs):
        self.hidden = nnx.Linear(784, 9, rngs=rngs)
        self.head = nnx.Linear(9, 10, rngs=rngs)

    def __call__(self, images):
        hidden = nnx.relu(self.hidden(images.reshape(len(images), -1)))
        return nnx.softmax(self.head(hidden))


def test_probabilities_are_no_logits():
    params = {"out": jax.random.normal(jax.random.key(0), (784, 10))}

    def function(params, images):
        pixels = ju.networks.unit(images.reshape(len(images), -1), "pixels")
        return jax.nn.softmax(pixels @ params["out"])

    linen = LinenSoftmax()
    variables = linen.init(jax.random.key(0), jnp.zeros((1, 28, 28, 1)))
    for door, arguments in (
        (ju.networks.from_callable, (function, params)),
        (ju.networks.from_linen, (linen, variables)),
        (ju.networks.from_nnx, (NnxSoftmax(nnx.Rngs(0)),)),
    ):
        refused_as_probabilities(
            lambda door=door, arguments=arguments: door(*arguments, preprocessing=SMALL)
        )
        meant = door(*arguments, preprocessing=SMALL, allow_probabilities=True)
        assert meant.classes == 10


@pytest.mark.parametrize(
    "last",
    [jax.nn.log_softmax, jax.nn.relu, jax.nn.sigmoid, lambda logits: 0 * logits],
    ids=["log_softmax", "relu", "sigmoid", "zeros"],
)
def test_what_only_resembles_probabilities(last):
    params = jax.random.normal(jax.random.key(0), (784, 10))

    def function(params, images):
        pixels = ju.networks.unit(images.reshape(len(images), -1), "pixels")
        return last(pixels @ params)

    network = ju.networks.from_callable(function, params, preprocessing=SMALL)
    assert network.classes == 10


def test_one_class_has_no_probabilities_to_mistake():
    def function(params, images):
        pixels = ju.networks.unit(images.reshape(len(images), -1), "pixels")
        return jnp.ones((len(images), 1)) * params + 0 * pixels[:, :1]

    network = ju.networks.from_callable(function, jnp.ones(()), preprocessing=SMALL)
    assert network.classes == 1
