"""Networks as functions of arrays, as users write them; only the spots are ours."""

import jax
import jax.numpy as jnp

import jaxunits as ju
from tests.zoo.spots import spot


def convolve(x, kernel, layout="NHWC"):
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=(layout, "HWIO", layout)
    )


def shapes(side, classes):
    """Of the parameters of all functions here."""
    return {
        "conv1": {"w": (3, 3, 3, 6), "b": (6,)},
        "conv2": {"w": (3, 3, 6, 8), "b": (8,)},
        "hidden": {"w": ((side // 4) ** 2 * 8, 14), "b": (14,)},
        "head": {"w": (14, classes), "bias": (classes,)},
    }


def marked(params, images):
    """Names its layers itself."""
    x = images
    for name in ("conv1", "conv2"):
        x = jax.nn.relu(convolve(x, params[name]["w"]) + params[name]["b"][None, None, None])
        x = pooled(ju.networks.unit(spot(x, name), name))
    x = x.reshape(len(x), -1) @ params["hidden"]["w"] + params["hidden"]["b"][None]
    x = ju.networks.unit(spot(jax.nn.sigmoid(x), "hidden"), "hidden")
    return x @ params["head"]["w"] + params["head"]["bias"][None]


def masked(params, images, masks=None):
    """Multiplies by masks itself, each in another way."""
    masks = masks or {"conv1": jnp.ones(6), "conv2": jnp.ones(8), "hidden": jnp.ones(14)}
    x = jax.nn.relu(convolve(images, params["conv1"]["w"]) + params["conv1"]["b"][None, None, None])
    x = pooled(ju.networks.ablate(spot(x, "conv1"), masks["conv1"]))
    x = jax.nn.relu(convolve(x, params["conv2"]["w"]) + params["conv2"]["b"][None, None, None])
    x = pooled(spot(x, "conv2") * masks["conv2"].reshape(1, 1, 1, -1))
    x = x.reshape(len(x), -1) @ params["hidden"]["w"] + params["hidden"]["b"][None]
    x = spot(jnp.tanh(x), "hidden") * masks["hidden"][None]
    return x @ params["head"]["w"] + params["head"]["bias"][None]


def channels_first(params, images):
    """Channels before rows and columns inside."""
    x = jnp.transpose(images, (0, 3, 1, 2))
    for name in ("conv1", "conv2"):
        bias = params[name]["b"].reshape(1, -1, 1, 1)
        x = jax.nn.relu(convolve(x, params[name]["w"], "NCHW") + bias)
        x = ju.networks.unit(spot(x, name), name)
        x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
    x = x.reshape(len(x), -1) @ params["hidden"]["w"] + params["hidden"]["b"][None]
    x = ju.networks.unit(spot(jax.nn.relu(x), "hidden"), "hidden")
    return x @ params["head"]["w"] + params["head"]["bias"][None]


def pooled(x):
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


LAYERS = {"conv1": -1, "conv2": -1, "hidden": -1}
CHANNELS_FIRST = {"conv1": 1, "conv2": 1, "hidden": -1}
