"""Convolutions and matrix products, under masks."""

import functools
import itertools

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from .masking import Changes, assert_masking, changes, constant, few

ORDERS = {
    "NHWC": ("NHWC", "HWIO", "NHWC"),
    "NCHW": ("NCHW", "OIHW", "NCHW"),
    "NCHW to NHWC": ("NCHW", "HWIO", "NHWC"),
    "NWC": ("NWC", "WIO", "NWC"),
    "NDHWC": ("NDHWC", "DHWIO", "NDHWC"),
}


def convolved(x, *, order, sides, outputs, groups=1, bias=None, **options):
    numbers = ORDERS[order]
    space = numbers[0].replace("N", "").replace("C", "")
    inputs = x.shape[numbers[0].index("C")]
    sizes = {"I": inputs // groups, "O": outputs, **dict(zip(space, sides, strict=True))}
    kernel = constant(tuple(sizes[letter] for letter in numbers[1])).astype(x.dtype)
    options = {"window_strides": (1,) * len(space), "padding": "SAME", **options}
    return jax.lax.conv_general_dilated(
        x, kernel, dimension_numbers=numbers, feature_group_count=groups, **options
    )


PLAIN = {
    "1x1": {"sides": (1, 1)},
    "3x3": {"sides": (3, 3)},
    "valid": {"sides": (2, 3), "padding": "VALID"},
    "explicit": {"sides": (2, 3), "padding": ((1, 0), (2, 1))},
    "strided": {"sides": (3, 3), "window_strides": (2, 1)},
    "strided 1x1": {"sides": (1, 1), "window_strides": (2, 2), "padding": "VALID"},
    "dilated": {"sides": (2, 2), "rhs_dilation": (1, 2), "padding": "VALID"},
    "transposed": {"sides": (2, 3), "lhs_dilation": (2, 2), "padding": ((1, 1), (2, 0))},
    "precise": {"sides": (2, 2), "precision": "highest"},
}
GROUPED = {
    "two groups": {"sides": (2, 2), "groups": 2},
    "depthwise": {"sides": (3, 2), "groups": 4},
    "strided depthwise": {"sides": (3, 3), "groups": 4, "window_strides": (2, 2)},
}


@few(3)
@given(given=changes(), order=st.sampled_from(["NHWC", "NCHW", "NCHW to NHWC"]))
def test_convolutions(given, order):
    shape, axis = ((2, 4, 5, 4), 3) if order == "NHWC" else ((2, 4, 4, 5), 1)
    functions = {
        name: functools.partial(convolved, order=order, outputs=3, **options)
        for name, options in PLAIN.items()
    }
    assert_masking(functions, shape, axis, given)


@few(3)
@given(
    given=changes(),
    order=st.sampled_from(["NHWC", "NCHW"]),
    multiplier=st.sampled_from([1, 2]),
    tail=st.sampled_from(["none", "product"]),
)
def test_grouped_convolutions(given, order, multiplier, tail):
    shape, axis = ((2, 4, 5, 4), 3) if order == "NHWC" else ((2, 4, 4, 5), 1)
    functions = {
        name: functools.partial(convolved, order=order, outputs=4 * multiplier, **options)
        for name, options in GROUPED.items()
    }
    # One that is not linear, and the input beside what came of it.
    functions["separable"] = lambda x: jax.nn.relu(functions["depthwise"](x))
    if multiplier == 1:
        functions["residual"] = lambda x: x + functions["depthwise"](x)
    whole = ("max", "add", "dot_general", "mul")
    dense = dict.fromkeys(functions if given.directions else ["two groups"], whole)
    assert_masking(functions, shape, axis, given, tail=tail, dense=dense)


@few(2)
@given(given=changes(), order=st.sampled_from(["NWC", "NDHWC"]))
def test_convolutions_of_one_and_three_axes(given, order):
    count = len(order) - 2
    shape = (2, *(4, 3, 2)[:count], 4)
    functions = {
        name: functools.partial(
            convolved, order=order, sides=(2, 3, 1)[:count], outputs=4, groups=groups
        )
        for name, groups in {"plain": 1, "grouped": 2, "depthwise": 4}.items()
    }
    assert_masking(functions, shape, -1, given)


def test_convolutions_in_bfloat16():
    functions = {
        name: functools.partial(convolved, order="NHWC", outputs=4, **options)
        for name, options in {**PLAIN, **GROUPED}.items()
    }
    assert_masking(functions, (2, 4, 5, 4), 3, Changes(2, 2, running=True), dtype="bfloat16")


def test_a_convolution_whose_channels_are_not_units_is_right():
    function = functools.partial(convolved, order="NHWC", sides=(2, 2), outputs=3)
    dense = {"convolution": ("conv_general_dilated",)}
    assert_masking({"convolution": function}, (2, 4, 3, 3), 1, Changes(2, 1), dense=dense)


TOKENS = {
    "plain": lambda x: x @ constant((4, 3)),
    "weights on the left": lambda x: jnp.einsum("oc,ntc->not", constant((3, 4)), x),
    "of every token": lambda x: jnp.einsum("ntc,tco->nto", x, constant((3, 4, 2))),
    "of every image": lambda x: jnp.einsum("ntc,nco->nto", x, constant((2, 4, 2))),
    "batch behind": lambda x: jnp.einsum("nco,ntc->ton", constant((2, 4, 2)), x),
    "tokens mixed": lambda x: jnp.einsum("ntc,ts->nsc", x, constant((3, 5))),
    "tokens mixed on the left": lambda x: jnp.einsum("st,ntc->snc", constant((5, 3)), x),
    "units kept apart": lambda x: jnp.einsum("ntc,ct->nc", x, constant((4, 3))),
    "units as a batch": lambda x: jnp.einsum("ntc,cto->nco", x, constant((4, 3, 2))),
    "units as a batch on the left": lambda x: jnp.einsum("cto,ntc->con", constant((4, 3, 2)), x),
    "summed over both": lambda x: jnp.einsum("ntc,tco->no", x, constant((3, 4, 2))),
    "outer product": lambda x: jnp.einsum("ntc,no->ntco", x, constant((2, 2))),
}
APART = ("tokens", "units", "outer")


@few(3)
@given(given=changes(), tail=st.sampled_from(["none", "product"]))
def test_matrix_products(given, tail):
    apart = [name for name in TOKENS if name.startswith(APART)]
    dense = {name: ("dot_general",) for name in TOKENS if name not in apart and tail != "none"}
    if given.directions:
        dense |= dict.fromkeys(apart, ("dot_general", "transpose", "reshape"))
    again = {name: (*dense.get(name, ()), "transpose") for name in TOKENS}
    assert_masking(TOKENS, (2, 3, 4), -1, given, tail=tail, dense=again)


@few(2)
@given(given=changes(directions=False), axis=st.sampled_from([1, 2, 3]))
def test_attention_with_heads(given, axis):
    """Queries `[images, tokens, heads, features]`; all of them can be units."""
    keys, values = constant((2, 5, 3, 4)), constant((2, 5, 3, 4), 8)

    def scores(x):
        return jnp.einsum("qthf,qshf->qhts", x, keys)

    functions = {
        "scores": scores,
        "attention": lambda x: jnp.einsum("qhts,qshf->qthf", jax.nn.softmax(scores(x)), values),
        "as values": lambda x: jnp.einsum("qhts,qshf->qthf", constant((2, 3, 5, 2)), x),
        "all alike": lambda x: jnp.einsum(
            "qhts,qshf->qthf", jax.nn.softmax(jnp.einsum("qthf,qshf->qhts", x, x)), x
        ),
    }
    dense = dict.fromkeys(functions, ())
    mixed = ("dot_general", "transpose", "reduce_max", "sub", "exp", "div", "max", "reduce_sum")
    mixed = (*mixed, "stop_gradient")
    dense["attention"] = (*mixed, "broadcast_in_dim", "reshape")
    dense["all alike"] = dense["attention"]
    dense["as values"] = ("transpose",)
    dense["scores"] = ("transpose",)
    assert_masking(functions, (2, 2, 3, 4), axis, given, dense=dense)


@few(3)
@given(given=changes(), shape=st.sampled_from([(2, 3, 3, 4), (2, 4, 3, 2), (2, 3, 4)]))
def test_products_of_flattened_maps(given, shape):
    size = 1
    for side in shape[1:]:
        size *= side
    for axis in {1, len(shape) - 1} if len(shape) == 4 else {2}:
        functions = {
            "weights": lambda x: x.reshape(2, -1) @ constant((size, 3)),
            "weights on the left": lambda x: constant((3, size)) @ x.reshape(2, -1).T,
            "turned weights": lambda x: x.reshape(2, -1) @ constant((3, size)).T,
            "two tensors": lambda x: jnp.einsum(
                "nf,fab->nab", x.reshape(2, -1), constant((size, 2, 2))
            ),
        }
        dense = {"weights on the left": ("transpose", "dot_general")}
        assert_masking(functions, shape, axis, given, dense=dense)


@pytest.mark.slow
@few(20)
@given(
    given=changes(),
    sides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    gaps=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    groups=st.sampled_from([1, 2, 6]),
    padding=st.sampled_from(["SAME", "VALID"]),
    order=st.sampled_from(["NHWC", "NCHW", "NCHW to NHWC"]),
)
def test_any_convolution(given, sides, strides, gaps, groups, padding, order):
    shape, axis = ((2, 6, 7, 6), 3) if order == "NHWC" else ((2, 6, 6, 7), 1)
    functions = {
        "convolution": functools.partial(
            convolved,
            order=order,
            sides=sides,
            outputs=6,
            groups=groups,
            window_strides=strides,
            rhs_dilation=gaps,
            padding=padding,
        )
    }
    assert_masking(functions, shape, axis, given)


def test_a_block_of_everything():
    """Rows one after another through a whole block, to a classifier."""

    def block(x):
        y = functools.partial(convolved, order="NHWC")(x, sides=(3, 3), outputs=6, groups=6)
        y = jax.nn.gelu(y * constant((1, 1, 1, 6)) + 0.1)
        y = jnp.concatenate([x, y], -1)[:, ::2]
        y = convolved(y, order="NHWC", sides=(1, 1), outputs=4)
        return jax.nn.relu(y).mean((1, 2)) @ constant((4, 3))

    behind = ("max", "reduce_sum", "div", "dot_general", "mul")
    for rows, running in itertools.product((1, 3), (False, True)):
        given = Changes(rows, 2, running)
        assert_masking({"block": block}, (2, 4, 4, 6), -1, given, dense={"block": behind})
