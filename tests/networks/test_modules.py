"""What users' modules do that a wrapper would trip over."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx

import jaxunits as ju

SIDE = 8
SMALL = ju.data.Preprocessing(size=(SIDE, SIDE), channels=3, mean=(0.5,), std=(0.25,))
IMAGES = np.random.default_rng(0).normal(size=(5, SIDE, SIDE, 3)).astype(np.float32)


class Body(nnx.Module):
    """A convolution, batch norm, a ReLU, and what a test makes of it."""

    def __init__(self, rngs):
        self.conv = nnx.Conv(3, 6, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(6, rngs=rngs)
        self.norm.mean[...] = jnp.linspace(-0.5, 0.5, 6)
        self.norm.var[...] = jnp.linspace(0.5, 2, 6)
        self.head = nnx.Linear(6, 4, rngs=rngs)

    def units(self, x):
        return nnx.relu(self.norm(self.conv(x)))

    def __call__(self, x):
        return self.head(self.units(x).mean((1, 2)))


def by_hand(module, change=lambda units: units):
    """Logits of a `Body` whose units are changed."""
    view = nnx.view(module, use_running_average=True)
    return view.head(change(Body.units(view, IMAGES)).mean((1, 2)))


def assert_measured(module, layer="conv", **arguments):
    """A module that gives what `Body` gives, with every unit ablated as by hand."""
    network = ju.networks.from_nnx(module, preprocessing=SMALL, **arguments)
    np.testing.assert_allclose(network(IMAGES), by_hand(module), atol=1e-5)
    for unit in range(6):
        masks = {layer: jnp.ones(6).at[unit].set(0)}
        expected = by_hand(module, lambda units, unit=unit: units.at[..., unit].set(0))
        np.testing.assert_allclose(network(IMAGES, masks), expected, atol=1e-5)
    assert network.layers[layer].unit_is == "post-activation"
    return network


class AsksForClasses(Body):
    def __call__(self, x):
        for part in (self.conv, self.norm):
            x = part(x) if isinstance(part, nnx.Conv | nnx.BatchNorm) else 0 * x
        return self.head(nnx.relu(x).mean((1, 2)))


class Counts(Body):
    """Keeps how often it was called."""

    def __init__(self, rngs):
        super().__init__(rngs)
        self.calls = nnx.Variable(jnp.zeros((), jnp.int32))

    def __call__(self, x):
        self.calls[...] = self.calls[...] + 1
        return super().__call__(x)


class Compiled(Body):
    @nnx.jit
    def __call__(self, x):
        return super().__call__(x)


class Rematerialized(Body):
    def __call__(self, x):
        units = nnx.remat(lambda self, x: Body.units(self, x))(self, x)
        return self.head(units.mean((1, 2)))


class Aliased(Body):
    """One module under two names."""

    def __init__(self, rngs):
        super().__init__(rngs)
        self.first = self.conv

    def units(self, x):
        return nnx.relu(self.norm(self.first(x)))


class DroppedTwice(Body):
    """One dropout at two widths."""

    def __init__(self, rngs):
        super().__init__(rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x):
        pooled = self.dropout(self.units(x)).mean((1, 2))
        return self.dropout(self.head(pooled))


@pytest.mark.parametrize(
    "build", [Body, AsksForClasses, Counts, Compiled, Rematerialized, Aliased, DroppedTwice]
)
def test_modules_are_measured_as_they_are(build):
    module = build(nnx.Rngs(0))
    before = [np.asarray(leaf) for leaf in jax.tree.leaves(nnx.state(module, nnx.Not(nnx.RngKey)))]
    network = assert_measured(module)
    # Neither the logits nor a dropout is a layer, and the batch norm's units are the convolution's.
    assert list(network.layers) == ["conv"] or list(network.layers) == ["first"]
    assert "norm" in network.layer("conv").aliases
    after = jax.tree.leaves(nnx.state(module, nnx.Not(nnx.RngKey)))
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


class Switched(Body):
    def __call__(self, x, *, train, rngs=None):
        x = nnx.relu(self.norm(self.conv(x), use_running_average=not train))
        return self.head(x.mean((1, 2)))


def test_arguments_of_the_call():
    module = Switched(nnx.Rngs(0))
    assert_measured(module, arguments={"train": False})
    with pytest.raises(ju.InputError, match=r"missing .*'train'.*arguments=\{'train': False\}"):
        ju.networks.from_nnx(module, preprocessing=SMALL)
    with pytest.raises(ju.InputError, match=r"statistics of the batch.*evaluation"):
        ju.networks.from_nnx(module, preprocessing=SMALL, arguments={"train": True})


class Stacked(nnx.Module):
    """Dense layers made by `nnx.vmap` and run by `nnx.scan`."""

    def __init__(self, rngs):
        @nnx.split_rngs(splits=3)
        @nnx.vmap(in_axes=(0,), out_axes=0)
        def build(rngs):
            return nnx.Linear(6, 6, rngs=rngs)

        self.stem = nnx.Linear(SIDE * SIDE * 3, 6, rngs=rngs)
        self.blocks = build(rngs)
        self.head = nnx.Linear(6, 4, rngs=rngs)

    def __call__(self, x):
        @nnx.scan(in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)
        def run(x, block):
            return nnx.relu(block(x))

        return self.head(run(nnx.relu(self.stem(x.reshape(len(x), -1))), self.blocks))


def test_stacked_layers_are_layers_of_their_own():
    module = Stacked(nnx.Rngs(1))
    network = ju.networks.from_nnx(module, preprocessing=SMALL)
    assert list(network.layers) == ["stem", "blocks[0]", "blocks[1]", "blocks[2]"]
    kernel, bias = module.blocks.kernel[...], module.blocks.bias[...]

    def logits(layer, unit):
        x = nnx.relu(module.stem(IMAGES.reshape(len(IMAGES), -1)))
        for number in range(3):
            x = nnx.relu(x @ kernel[number] + bias[number][None])
            x = x.at[:, unit].set(0) if number == layer else x
        return module.head(x)

    for layer, unit in ((0, 1), (1, 4), (2, 5)):
        masks = {f"blocks[{layer}]": jnp.ones(6).at[unit].set(0)}
        np.testing.assert_allclose(network(IMAGES, masks), logits(layer, unit), atol=1e-5)


class LinenNorm(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        x = nn.BatchNorm(use_running_average=not train)(nn.Conv(4, (3, 3))(x))
        return nn.Dense(3)(nn.relu(x).mean((1, 2)))


def test_linen_modules_in_the_wrong_mode_or_without_their_statistics():
    module = LinenNorm()
    variables = module.init(jax.random.key(0), IMAGES, train=False)

    def refused(variables, words, **arguments):
        with pytest.raises(ju.InputError, match=words):
            ju.networks.from_linen(module, variables, preprocessing=SMALL, **arguments)

    refused(variables, r"missing .*'train'.*arguments=\{'train': False\}")
    refused(variables["params"], "not its 'params' alone", arguments={"train": False})
    # Flax says which collection may not be written; which it cannot be known before.
    refused(variables, "batch_stats", arguments={"train": True})
    network = ju.networks.from_linen(
        module, variables, preprocessing=SMALL, arguments={"train": False}
    )
    assert network.layers["Conv_0"].aliases == ("BatchNorm_0",)


def test_functions_that_swap_arguments_ignore_masks_or_have_channels_first():
    params = {"in": jnp.ones((3, 5, 1, 1)), "out": jnp.ones((5, 4))}

    def first(params, x):
        x = jax.lax.conv(x, params["in"].transpose(1, 0, 2, 3), (1, 1), "SAME")
        return ju.networks.unit(jnp.maximum(x, 0), "conv").mean((2, 3)) @ params["out"]

    door = ju.networks.from_callable
    with pytest.raises(ju.InputError, match="transpose them inside for channels first"):
        door(first, params, preprocessing=SMALL)
    turned = door(
        lambda params, x: first(params, x.transpose(0, 3, 1, 2)), params, preprocessing=SMALL
    )
    assert turned.layers["conv"].num_units == 5
    assert turned.activations(IMAGES, "conv").shape == (5, SIDE, SIDE, 5)
    with pytest.raises(ju.InputError, match="cannot be called"):
        door(lambda x, params: first(params, x), params, preprocessing=SMALL)
    with pytest.raises(ju.InputError, match="ignores the mask of layer 'other'"):
        door(
            lambda params, x, masks: first(params, x.transpose(0, 3, 1, 2)),
            params,
            layers={"other": 5},
            preprocessing=SMALL,
        )
