"""Operations that move numbers, under masks."""

import jax
import jax.numpy as jnp
from flax import nnx
from hypothesis import given
from hypothesis import strategies as st

from .masking import Changes, assert_masking, changes, constant, few, tails

# Activations [2, 3, 4, 5] whose axis of units is drawn.
KEPT = {
    "transposed": lambda x: x.transpose(0, 3, 1, 2),
    "rotated": lambda x: x.transpose(0, 2, 3, 1),
    "axis added": lambda x: x[:, None],
    "axis added and gone": lambda x: x[..., None][..., 0],
    "repeated images": lambda x: jnp.concatenate([x, x]),
    "broadcast": lambda x: jnp.broadcast_to(x[:, None], (2, 2, 3, 4, 5)),
}
# Of units on the last axis.
OF_MAPS = {
    "tokens": lambda x: x.reshape(2, 12, 5),
    "tokens and back": lambda x: x.reshape(2, 12, 5).reshape(2, 3, 4, 5),
    "all positions": lambda x: x.reshape(-1, 5),
    "flattened and back": lambda x: x.reshape(2, -1).reshape(2, 3, 4, 5),
    "flattened twice": lambda x: x.reshape(2, -1).reshape(2, 1, 60),
    "flattened": lambda x: x.reshape(2, -1),
    "one number": lambda x: x[:, :1, :1, :].reshape(2, 5),
    "first rows": lambda x: x[:, :2],
    "every second": lambda x: x[:, ::2, 1::2],
    "one position": lambda x: x[:, 1, -1],
    "rolled": lambda x: jnp.roll(x, 1, axis=2),
    "repeated": lambda x: jnp.repeat(x, 2, axis=1),
    "enlarged": lambda x: jax.image.resize(x, (2, 6, 8, 5), "nearest"),
    "bilinear": lambda x: jax.image.resize(x, (2, 6, 8, 5), "bilinear"),
    "along width with itself": lambda x: jnp.concatenate([x, x], 2),
    "halves of width swapped": lambda x: jnp.concatenate([x[:, :, 2:], x[:, :, :2]], 2),
    "split along width": lambda x: jnp.split(x, 2, axis=2)[1] - jnp.split(x, 2, axis=2)[0],
}
NOT_LINEAR = {
    "padded": lambda x: jnp.pad(x, ((0, 0), (1, 0), (2, 1), (0, 0))),
    "padded with ones": lambda x: jnp.pad(x, ((0, 0), (1, 1), (0, 0), (0, 0)), constant_values=1),
    "dilated": lambda x: jax.lax.pad(x, 0.5, [(0, 0, 0), (1, 0, 2), (-1, 1, 0), (0, 0, 0)]),
    "mirrored edges": lambda x: jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect"),
    "taken": lambda x: jnp.take(x, jnp.asarray([0, 2, 2]), axis=2),
    "indexed": lambda x: x[:, jnp.asarray([2, 0])],
    "indexed twice": lambda x: x[:, jnp.asarray([2, 0]), jnp.asarray([1, 3])],
    "dynamic slice": lambda x: jax.lax.dynamic_slice_in_dim(x, jnp.argmax(constant((2,))), 2, 1),
    "beside constants": lambda x: jnp.concatenate([constant((2, 1, 4, 5)), x], 1),
    "backwards": lambda x: x[:, ::-1] * 2,
}
ON_CHANNELS = {
    "some channels": lambda x: x[..., 1:4],
    "first channels": lambda x: x[..., :2],
    "last channels": lambda x: x[..., 3:],
    "every second channel": lambda x: x[..., 1::2],
    "channel padded": lambda x: jnp.pad(x, ((0, 0), (0, 0), (0, 0), (2, 1))),
    "channel cut": lambda x: jax.lax.pad(x, 0.0, [(0, 0, 0)] * 3 + [(-1, -2, 0)]),
    "shortcut of type A": lambda x: jnp.pad(x[:, ::2, ::2], ((0, 0), (0, 0), (0, 0), (1, 1))),
    "with itself": lambda x: jnp.concatenate([x, jax.nn.relu(x), -x], -1),
    "with constants": lambda x: jnp.concatenate([constant((2, 3, 4, 2)), x], -1),
    "between constants": lambda x: jnp.concatenate([x, constant((2, 3, 4, 2)), x], -1),
    "first part": lambda x: jnp.split(x, [2], axis=-1)[0],
    "second part": lambda x: jnp.split(x, [2], axis=-1)[1],
    "parts joined again": lambda x: jnp.concatenate(
        [jnp.tanh(x[..., 2:]), constant((2, 3, 4, 1)), x[..., :2]], -1
    ),
    "dense block": lambda x: jnp.concatenate([x, jnp.concatenate([x, 2 * x], -1)], -1),
}


@few(3)
@given(given=changes(), axis=st.integers(1, 3), tail=tails)
def test_units_on_any_axis(given, axis, tail):
    kept = {**KEPT}
    if given.directions:
        del kept["repeated images"]
    assert_masking(kept, (2, 3, 4, 5), axis, given, tail=tail)


@few(3)
@given(given=changes(), tail=st.sampled_from(["none", "product"]))
def test_positions_move(given, tail):
    functions = dict(OF_MAPS)
    if given.directions:
        for name in ("repeated", "enlarged", "along width with itself", "halves of width swapped"):
            del functions[name]
        for name in ("rolled", "split along width"):
            del functions[name]
    again = ("dot_general",) if tail == "product" else ()
    dense = dict.fromkeys(("flattened twice",), again)
    assert_masking(functions, (2, 3, 4, 5), -1, given, tail=tail, dense=dense)


@few(3)
@given(given=changes(directions=False), tail=st.sampled_from(["none", "product"]))
def test_positions_are_picked_and_padded(given, tail):
    dense = {"backwards": ()}
    assert_masking(NOT_LINEAR, (2, 3, 4, 5), -1, given, tail=tail, dense=dense)


@few(3)
@given(given=changes(directions=False), tail=st.sampled_from(["none", "product", "flat"]))
def test_channels_move(given, tail):
    assert_masking(ON_CHANNELS, (2, 3, 4, 5), -1, given, tail=tail)


def test_directions_are_whole_where_channels_move():
    dense = ("slice", "pad", "concatenate", "max", "split", "tanh")
    allowed = dict.fromkeys(ON_CHANNELS, (*dense, "neg", "mul"))
    given = Changes(2, 2, directions=True)
    assert_masking(ON_CHANNELS, (2, 3, 4, 5), -1, given, dense=allowed)


def test_channel_shuffle_is_right():
    def shuffled(x):
        return x.reshape(2, 3, 3, 2, 3).swapaxes(3, 4).reshape(2, 3, 3, 6)

    dense = {"shuffled": ("transpose", "reshape", "dot_general")}
    for number in (1, 2):
        given = Changes(3, number)
        assert_masking({"shuffled": shuffled}, (2, 3, 3, 6), -1, given, dense=dense, tail="product")


# Reductions, windows and running sums.
LINEAR_SUMS = {
    "mean of maps": lambda x: x.mean((1, 2)),
    "sum of rows": lambda x: x.sum(1),
    "kept axes": lambda x: x.mean((1, 2), keepdims=True),
    "sum of channels": lambda x: x.sum(-1),
    "mean of all": lambda x: x.mean((1, 2, 3)),
    "average pool": lambda x: nnx.avg_pool(x, (2, 2), (1, 2)),
    "average pool with edges": lambda x: nnx.avg_pool(x, (3, 2), (2, 1), padding="SAME"),
    "running sum": lambda x: jnp.cumsum(x, 1),
}
SUMS = {
    "max of maps": lambda x: x.max((1, 2)),
    "min of rows": lambda x: x.min(2),
    "product of rows": lambda x: jnp.prod(x, 2),
    "all of maps": lambda x: jnp.all(x > -1, (1, 2)),
    "any of maps": lambda x: jnp.any(x > 1, (1, 2)),
    "place of the largest": lambda x: jnp.argmax(x, 1),
    "deviation": lambda x: jnp.std(x, (1, 2)),
    "max pool": lambda x: nnx.max_pool(x, (2, 2), (2, 1)),
    "max pool with edges": lambda x: nnx.max_pool(x, (3, 3), (2, 2), padding=((1, 1), (1, 0))),
    "min pool": lambda x: nnx.min_pool(x, (2, 2), (1, 1)),
    "running maximum": lambda x: jax.lax.cummax(x, 2),
    "running minimum": lambda x: jax.lax.cummin(x, 1, reverse=True),
    "softmax over maps": lambda x: jax.nn.softmax(x, (1, 2)),
    "instance norm": lambda x: (
        (x - x.mean((1, 2), keepdims=True)) / jnp.sqrt(x.var((1, 2), keepdims=True) + 1e-5)
    ),
    "window of a kind": lambda x: jax.lax.reduce_window(
        x, 1.0, lambda a, b: a * b, (1, 2, 2, 1), (1, 1, 1, 1), "VALID"
    ),
    "dilated max pool": lambda x: jax.lax.reduce_window(
        x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 1, 1, 1), "VALID", window_dilation=(1, 2, 1, 1)
    ),
    "squeeze and excitation": lambda x: x * jax.nn.sigmoid(x.mean((1, 2), keepdims=True)),
}
# What mixes channels is whole for every mask behind its statistics.
MIXES = {
    "softmax over channels": lambda x: jax.nn.softmax(x, -1),
    "max of channels": lambda x: x.max(-1),
    "running sum of channels": lambda x: jnp.cumsum(x, -1),
    "backwards": lambda x: x[..., ::-1],
    "layer norm": lambda x: (
        (x - x.mean(-1, keepdims=True)) * jax.lax.rsqrt(x.var(-1, keepdims=True) + 1e-5)
    ),
    "group norm": lambda x: nnx.GroupNorm(4, 2, rngs=nnx.Rngs(0))(x),
    "maxout": lambda x: x.reshape(2, 3, 4, 2, 2).max(-1),
    "pool over channels": lambda x: jax.lax.reduce_window(
        x, 0.0, jax.lax.add, (1, 1, 1, 2), (1, 1, 1, 1), "SAME"
    ),
    "gated": lambda x: x[..., :2] * jax.nn.sigmoid(x[..., 2:]),
    "normalized": lambda x: x / jnp.linalg.norm(x, axis=-1, keepdims=True),
}


@few(3)
@given(given=changes(), tail=st.sampled_from(["none", "product"]))
def test_sums(given, tail):
    again = dict.fromkeys(("sum of channels", "mean of all"), ("dot_general",))
    for name in again:
        again[name] = (*again[name], "div")
    dense = {"average pool": (), **again}
    if given.directions:
        dense["average pool with edges"] = ("div", "dot_general")
    assert_masking(LINEAR_SUMS, (2, 3, 4, 4), -1, given, tail=tail, dense=dense)


@few(3)
@given(given=changes(directions=False))
def test_reductions_and_windows(given):
    assert_masking(SUMS, (2, 3, 4, 4), -1, given)


@few(2)
@given(given=changes(directions=False))
def test_reductions_and_windows_of_channels_first(given):
    functions = {
        "max pool": lambda x: jax.lax.reduce_window(
            x, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 1), "SAME"
        ),
        "mean": lambda x: x.mean((2, 3)),
        "maximum": lambda x: jax.nn.relu(x).max((2, 3), keepdims=True),
    }
    assert_masking(functions, (2, 5, 3, 4), 1, given, tail="product")


@few(2)
@given(given=changes(directions=False))
def test_what_mixes_channels(given):
    anything = Anything()
    assert_masking(MIXES, (2, 3, 4, 4), -1, given, dense=dict.fromkeys(MIXES, anything))


class Anything(tuple):
    """All operations."""

    def __new__(cls):
        from jaxunits.tracing import RULES

        return super().__new__(cls, RULES)
