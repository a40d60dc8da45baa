"""Programs with channels second give the same with channels last."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from jax import lax

import jaxunits as ju
from jaxunits import tracing
from tests.tracing.masking import few

CHANNELS = 4


def convolved(params, x):
    numbers = ("NCHW", "OIHW", "NCHW")
    return lax.conv_general_dilated(x, params["kernel"], (1, 1), "SAME", dimension_numbers=numbers)


def depthwise(params, x):
    return lax.conv_general_dilated(
        x,
        params["depthwise"],
        (1, 1),
        "SAME",
        dimension_numbers=("NCHW", "OIHW", "NCHW"),
        feature_group_count=CHANNELS,
    )


def pooled(params, x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 1), (1, 1, 1, 1), "SAME")


def averaged(params, x):
    return lax.reduce_window(x, 0.0, lax.add, (1, 1, 1, 3), (1, 1, 1, 1), "SAME") / 3


def squeezed(params, x):
    """Each channel scaled by what all say together."""
    gates = jax.nn.sigmoid(x.mean((2, 3)) @ params["gates"])
    return x * gates[:, :, None, None]


def shuffled(params, x):
    """Groups of channels, as ShuffleNet has them."""
    return x.reshape(len(x), 2, -1, *x.shape[2:]).swapaxes(1, 2).reshape(x.shape)


def normed(params, x):
    """A layer norm over channels, which are last for it."""
    last = x.transpose(0, 2, 3, 1)
    last = last - last.mean(-1, keepdims=True)
    return last.transpose(0, 3, 1, 2)


STEPS = {
    "convolved": convolved,
    "depthwise": depthwise,
    "pooled": pooled,
    "averaged": averaged,
    "squeezed": squeezed,
    "shuffled": shuffled,
    "normed": normed,
    "biased": lambda params, x: x + params["bias"][None, :, None, None],
    "repeated bias": lambda params, x: (
        x - jnp.broadcast_to(params["bias"][None, :, None, None], x.shape)
    ),
    "relu": lambda params, x: jnp.maximum(x, 0),
    "chosen": lambda params, x: jnp.where(x > 0.1, x, 0.3 * x),
    "joined": lambda params, x: jnp.concatenate([x, -x], 1)[:, 1 : 1 + CHANNELS],
    "cut": lambda params, x: x[:, :, 1:],
    "padded": lambda params, x: jnp.pad(x, ((0, 0), (0, 0), (1, 0), (0, 2))),
    "turned": lambda params, x: x.transpose(0, 1, 3, 2),
    "largest": lambda params, x: x - x.max((2, 3), keepdims=True),
    "summed over channels": lambda params, x: x - x.sum(1, keepdims=True),
    "of its neighbors": lambda params, x: x + jnp.roll(x, 1, 3),
}


@few(20)
@given(st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=6), st.integers(0, 99))
def test_same_numbers(names, seed):
    random = np.random.default_rng(seed)
    params = {
        "kernel": random.normal(size=(CHANNELS, CHANNELS, 3, 3)),
        "depthwise": random.normal(size=(CHANNELS, 1, 3, 3)),
        "gates": random.normal(size=(CHANNELS, CHANNELS)),
        "bias": random.normal(size=CHANNELS),
    }
    params = jax.tree.map(lambda array: jnp.asarray(array, jnp.float32), params)
    images = jnp.asarray(random.normal(size=(2, 5, 6, CHANNELS)), jnp.float32)

    def function(params, images):
        x = convolved(params, images.transpose(0, 3, 1, 2))
        for name in names:
            x = STEPS[name](params, x)
        return {"maps": x, "flat": x.reshape(len(x), -1)}

    program = tracing.trace(function, params, images)
    changed = tracing.channels_last(program)
    expected, found = program(params, images), changed(params, images)
    assert jax.tree.map(jnp.shape, found) == jax.tree.map(jnp.shape, expected)
    for name, array in expected.items():
        scale = 1 + abs(array).max()
        np.testing.assert_allclose(found[name], array, atol=1e-5 * scale, rtol=0)


def test_maps_stay_as_they_are_until_something_else_reads_them():
    def function(params, x):
        x = x.transpose(0, 3, 1, 2)
        for step in ("convolved", "biased", "relu", "squeezed", "pooled", "joined", "convolved"):
            x = STEPS[step](params, x)
        return jnp.maximum(x, 0).reshape(len(x), -1) @ params["head"]

    shapes = {"kernel": (4, 4, 3, 3), "gates": (4, 4), "bias": (4,), "head": (4 * 30, 3)}
    params = {name: jnp.ones(shape) for name, shape in shapes.items()}
    program = tracing.channels_last(tracing.trace(function, params, jnp.ones((2, 5, 6, 4))))
    maps = [
        each
        for each in program.equations
        if each.primitive.name == "transpose" and each.invars[0].aval.shape[0] == 2
    ]
    assert len(maps) == 1, maps


def test_programs_with_channels_last_are_not_touched():
    network = ju.networks.convnet(3, widths=(4,), pool_after=())
    traced = network.function.traced(network.params, network.example)
    assert tracing.channels_last(traced.program) is traced.program
