"""Where the layers of modules and functions are found."""

import jax.numpy as jnp
import pytest
from flax import nnx

import jaxunits as ju
from jaxunits.tracing import before_nonlinearity, is_after_nonlinearity

from .sites import Found, images, with_noise

NONLINEARITIES = {
    "relu": nnx.relu,
    "gelu": nnx.gelu,
    "exact gelu": lambda x: nnx.gelu(x, approximate=False),
    "silu": nnx.silu,
    "x sigmoid(x)": lambda x: x * nnx.sigmoid(x),
    "leaky relu": nnx.leaky_relu,
    "elu": nnx.elu,
    "tanh": jnp.tanh,
    "hard swish": nnx.hard_swish,
    "mish": lambda x: x * jnp.tanh(nnx.softplus(x)),
    "scaled relu": lambda x: 2 * nnx.relu(x + 1) - 0.5,
}


class Normed(nnx.Module):
    """Convolution, batch norm, non-linearity, dropout, pool, flatten, logits."""

    def __init__(self, nonlinearity, rngs):
        self.conv = nnx.Conv(3, 4, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(4, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.hidden = nnx.Linear(36, 5, rngs=rngs)
        self.head = nnx.Linear(5, 2, rngs=rngs)
        self.nonlinearity = nonlinearity

    def first(self, x):
        return self.nonlinearity(self.norm(self.conv(x)))

    def __call__(self, x):
        x = self.dropout(self.first(x))
        x = nnx.max_pool(x, (2, 2), (2, 2)).reshape(len(x), -1)
        return self.head(self.nonlinearity(self.hidden(x)))


COMMON = ("relu", "gelu", "x sigmoid(x)", "scaled relu")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name not in COMMON))
        for name in NONLINEARITIES
    ],
)
def test_units_are_what_the_nonlinearity_gives(name):
    module = with_noise(Normed(NONLINEARITIES[name], nnx.Rngs(0)))
    found = Found(module)
    assert found.names == [["conv", "norm"], ["hidden"]]
    module.eval()
    found.assert_activations("conv", module.first(images()))
    for layer, axis in {"conv": 3, "hidden": 1}.items():
        site = found.sites[layer]
        assert site.axes == {axis}
        assert not site.by_user
        assert site.readable
        assert is_after_nonlinearity(found.graph, site.values[0])


@pytest.mark.parametrize("name", ["relu", "x sigmoid(x)", "mish"])
def test_before_the_nonlinearity_is_what_goes_into_it(name):
    module = with_noise(Normed(NONLINEARITIES[name], nnx.Rngs(0)))
    found = Found(module)
    before = before_nonlinearity(found.graph, found.sites["conv"].values[0])
    module.eval()
    value = found.program.values(found.arguments, [before])[0]
    wanted = module.norm(module.conv(images()))
    assert jnp.allclose(value, wanted, atol=1e-5)


def test_the_hook_output_takes_what_modules_give():
    module = with_noise(Normed(nnx.relu, nnx.Rngs(0)))
    found = Found(module, hook="output")
    module.eval()
    assert found.names[0] == ["conv"]
    found.assert_activations("conv", module.conv(images()))
    assert not is_after_nonlinearity(found.graph, found.sites["conv"].values[0])


class Residual(nnx.Module):
    """Branches and sums between layers and non-linearities."""

    def __init__(self, rngs):
        self.stem = nnx.Conv(3, 4, (3, 3), rngs=rngs)
        self.one = nnx.Conv(4, 4, (3, 3), rngs=rngs)
        self.two = nnx.Conv(4, 4, (1, 1), rngs=rngs)
        self.norm = nnx.BatchNorm(4, rngs=rngs)
        self.head = nnx.Linear(4, 2, rngs=rngs)

    def __call__(self, x):
        x = self.stem(x)
        y = nnx.relu(self.one(x))
        y = nnx.relu(x + self.norm(self.two(y)))
        return self.head(y.mean((1, 2)))


def test_units_end_where_branches_and_sums_begin():
    module = with_noise(Residual(nnx.Rngs(0)))
    found = Found(module)
    assert found.names == [["stem"], ["one"], ["two", "norm"]]
    module.eval()
    stem = module.stem(images())
    found.assert_activations("stem", stem)
    one = nnx.relu(module.one(stem))
    found.assert_activations("one", one)
    found.assert_activations("two", module.norm(module.two(one)))
    after = {
        name: is_after_nonlinearity(found.graph, site.values[0])
        for name, site in found.sites.items()
    }
    assert after == {"stem": False, "one": True, "two": False}


class Mixing(nnx.Module):
    """Norms that mix channels are layers of their own."""

    def __init__(self, norm, rngs):
        self.conv = nnx.Conv(3, 4, (3, 3), rngs=rngs)
        self.norm = norm
        self.head = nnx.Linear(4, 2, rngs=rngs)

    def __call__(self, x):
        return self.head(nnx.relu(self.norm(self.conv(x))).mean((1, 2)))


@pytest.mark.parametrize("kind", ["group", "layer", "rms"])
def test_norms_that_mix_channels(kind):
    norms = {
        "group": lambda: nnx.GroupNorm(4, 2, rngs=nnx.Rngs(1)),
        "layer": lambda: nnx.LayerNorm(4, rngs=nnx.Rngs(1)),
        "rms": lambda: nnx.RMSNorm(4, rngs=nnx.Rngs(1)),
    }
    module = with_noise(Mixing(norms[kind](), nnx.Rngs(0)))
    found = Found(module)
    assert found.names == [["conv"], ["norm"]]
    conv = module.conv(images())
    found.assert_activations("conv", conv)
    found.assert_activations("norm", nnx.relu(module.norm(conv)))
    assert not is_after_nonlinearity(found.graph, found.sites["conv"].values[0])
    assert is_after_nonlinearity(found.graph, found.sites["norm"].values[0])


class Relu(nnx.Module):
    def __call__(self, x):
        return nnx.relu(x)


class Pool(nnx.Module):
    def __call__(self, x):
        return nnx.max_pool(x, (2, 2), (2, 2))


class Flatten(nnx.Module):
    def __call__(self, x):
        return x.reshape(len(x), -1)


class Shared(nnx.Module):
    """A ReLU module that is called twice, a convolution that is, and modules without units."""

    def __init__(self, rngs):
        self.stem = nnx.Conv(3, 4, (3, 3), rngs=rngs)
        self.conv = nnx.Conv(4, 4, (3, 3), rngs=rngs)
        self.relu, self.pool, self.flatten = Relu(), Pool(), Flatten()
        self.head = nnx.Linear(36, 2, rngs=rngs)

    def __call__(self, x):
        x = self.relu(self.stem(x))
        x = jnp.tanh(self.conv(x))
        x = jnp.tanh(self.conv(x))
        return self.head(self.flatten(self.pool(self.relu(x))))


def test_calls_of_shared_modules():
    module = with_noise(Shared(nnx.Rngs(0)))
    found = Found(module)
    assert found.names == [["stem", "relu"], ["conv"]]
    stem = nnx.relu(module.stem(images()))
    once = jnp.tanh(module.conv(stem))
    assert len(found.sites["stem"].values) == 1
    assert len(found.sites["conv"].values) == 2
    found.assert_activations("conv", once)
    found.assert_activations("conv", nnx.relu(jnp.tanh(module.conv(once))), call=1)


WEIGHTS = {"one": images((3, 4), 1), "two": images((4, 2), 2)}


class Tokens(nnx.Module):
    """Patches become tokens, which heads attend to."""

    def __init__(self, rngs):
        self.patches = nnx.Conv(3, 6, (2, 2), strides=(2, 2), rngs=rngs)
        self.query = nnx.LinearGeneral(6, (2, 3), rngs=rngs)
        self.expand = nnx.Linear(6, 8, rngs=rngs)
        self.shrink = nnx.Linear(8, 6, rngs=rngs)
        self.head = nnx.Linear(6, 2, rngs=rngs)

    def __call__(self, x):
        x = self.patches(x).reshape(len(x), 9, 6)
        query = self.query(x)
        weights = nnx.softmax(jnp.einsum("nthf,nshf->nhts", query, query))
        x = x + jnp.einsum("nhts,nshf->nthf", weights, query).reshape(x.shape)
        x = x + self.shrink(nnx.gelu(self.expand(x)))
        return self.head(x[:, 0])


def test_tokens_and_heads():
    found = Found(Tokens(nnx.Rngs(0)))
    axes = {name: site.axes for name, site in found.sites.items()}
    # Which of heads and features are units, only the user can tell.
    assert axes == {"patches": {3}, "query": {2, 3}, "expand": {2}, "shrink": {2}}
    assert found.sites["expand"].shape == (2, 9, 8)


def test_a_network_of_many_layers():
    def function(params, x):
        x = x.mean((1, 2)) @ params["one"]
        for number in range(400):
            x = ju.networks.unit(jnp.tanh(x @ params["square"]), f"layer{number}")
        return x @ params["two"]

    found = Found(function, params={**WEIGHTS, "square": images((4, 4))})
    assert len(found.sites) == 400
    assert all(site.axes == {1} for site in found.sites.values())


class Heads(nnx.Module):
    """Two outputs of one size: the logits, and something else."""

    def __init__(self, rngs):
        self.hidden = nnx.Linear(3, 4, rngs=rngs)
        self.logits = nnx.Linear(4, 2, rngs=rngs)

    def __call__(self, x):
        return jnp.log(nnx.softmax(self.logits(nnx.relu(self.hidden(x.mean((1, 2)))))))


def test_logits_are_no_layer():
    assert Found(Heads(nnx.Rngs(0))).names == [["hidden"]]


class Trained(nnx.Module):
    def __init__(self, rngs):
        self.conv = nnx.Conv(3, 4, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(4, rngs=rngs)
        self.deep = nnx.Conv(4, 5, (3, 3), rngs=rngs)
        self.norm2 = nnx.BatchNorm(5, rngs=rngs)
        self.dropout = nnx.Dropout(0.4, rngs=rngs)
        self.head = nnx.Linear(5, 2, rngs=rngs)

    def __call__(self, x):
        x = nnx.max_pool(nnx.relu(self.norm(self.conv(x))), (2, 2), (2, 2))
        x = self.dropout(nnx.gelu(self.norm2(self.deep(x))))
        return self.head(x.mean((1, 2)))


def test_training_finds_the_layers_of_evaluation():
    module = Trained(nnx.Rngs(0))
    graph, state = nnx.split(module)

    def step(params, array):
        merged = ju.networks.tagged(nnx.merge(graph, params))
        merged.train()
        logits = merged(array)
        return logits, nnx.state(merged, nnx.BatchStat)

    trained = Found(step, params=state, statistics=True)
    evaluated = Found(module)
    assert [names[0] for names in trained.names] == [names[0] for names in evaluated.names]
    assert list(trained.sites) == ["conv", "deep"]
    other = nnx.merge(graph, state)
    other.train()
    wanted = nnx.relu(other.norm(other.conv(images())))
    trained.assert_activations("conv", wanted)
