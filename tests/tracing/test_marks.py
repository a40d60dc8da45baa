"""Layers and masks that users name themselves."""

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

import jaxunits as ju
from jaxunits.tracing import mask

from .sites import Found, images, with_noise


class Marked(nnx.Module):
    def __init__(self, rngs):
        self.conv = nnx.Conv(3, 4, (3, 3), rngs=rngs)
        self.head = nnx.Linear(4, 2, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.conv(x))
        x = ju.networks.unit(x, "mine")
        pooled = ju.networks.unit(nnx.avg_pool(x, (2, 2), (2, 2)), "pooled")
        return self.head(pooled.mean((1, 2)))


def test_marks_of_the_user_in_a_module():
    module = with_noise(Marked(nnx.Rngs(0)))
    found = Found(module)
    # The user's name stands for the module's units, and what the user names is always a layer.
    assert found.names == [["mine", "conv"], ["pooled"]]
    assert all(site.by_user for site in found.sites.values())
    found.assert_activations("pooled", nnx.avg_pool(found.activations("mine"), (2, 2), (2, 2)))


WEIGHTS = {"one": images((3, 4), 1), "two": images((4, 2), 2)}


def named(params, x):
    y = ju.networks.unit(x.mean((1, 2)) @ params["one"], "before")
    return ju.networks.unit(jnp.tanh(y), "after") @ params["two"]


def test_marks_of_the_user_in_a_function_are_taken_as_they_are():
    found = Found(named, params=WEIGHTS)
    assert found.names == [["before"], ["after"]]
    before = images().mean((1, 2)) @ WEIGHTS["one"]
    found.assert_activations("before", before)
    found.assert_activations("after", jnp.tanh(before))


@pytest.mark.parametrize("way", ["multiplied", "shaped", "ablate", "cast"])
def test_masks_that_are_multiplied(way):
    def function(params, x):
        keep = mask(jnp.ones(4), "layer")
        hidden = jnp.tanh(x @ params["one"])
        if way == "multiplied":
            hidden = hidden * keep.reshape(1, 1, 1, 4)
        elif way == "shaped":
            hidden = keep[None, None, None] * hidden
        elif way == "cast":
            hidden = hidden.astype(jnp.bfloat16) * keep.astype(jnp.bfloat16).reshape(1, 1, 1, 4)
            hidden = hidden.astype(jnp.float32)
        else:
            hidden = ju.networks.ablate(hidden, keep)
        return hidden.mean((1, 2)) @ params["two"]

    found = Found(function, params=WEIGHTS)
    (site,) = found.sites.values()
    assert (site.name, site.axes, site.readable) == ("layer", {3}, True)
    if way != "cast":
        found.assert_activations("layer", jnp.tanh(images() @ WEIGHTS["one"]))


def test_a_mask_of_channels_first():
    def function(params, x):
        hidden = jnp.einsum("nhwi,io->nohw", x, params["one"])
        hidden = ju.networks.ablate(hidden, mask(jnp.ones(4), "layer"), axis=1)
        return hidden.mean((2, 3)) @ params["two"]

    assert Found(function, params=WEIGHTS).sites["layer"].axes == {1}


@pytest.mark.parametrize("way", ["where", "added", "twice"])
def test_masks_that_are_used_otherwise(way):
    def function(params, x):
        keep = mask(jnp.ones(4), "layer").reshape(1, 4)
        hidden = jnp.tanh(x.mean((1, 2)) @ params["one"])
        if way == "where":
            hidden = jnp.where(keep > 0, hidden, 0.0)
        elif way == "added":
            hidden = hidden + (1 - keep)
        else:
            hidden = hidden * keep + (1 - keep)
        return hidden @ params["two"]

    site = Found(function, params=WEIGHTS).sites["layer"]
    assert (site.readable, site.shape, site.axes) == (False, (4,), {0})


def test_channels_first():
    def function(params, x):
        x = jax.lax.conv_general_dilated(
            x, params["kernel"], (1, 1), "SAME", dimension_numbers=("NCHW", "OIHW", "NCHW")
        )
        x = ju.networks.unit(nnx.relu(x + params["bias"][:, None, None][None]), "conv")
        return ju.networks.unit(x.mean((2, 3)), "mean") @ params["two"]

    params = {"kernel": images((4, 3, 3, 3)), "bias": images((4,)), **WEIGHTS}
    found = Found(function, images((2, 3, 6, 5)), params=params)
    assert {name: site.axes for name, site in found.sites.items()} == {"conv": {1}, "mean": {1}}
