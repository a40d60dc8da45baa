"""Operations that act number by number, under masks."""

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxunits.tracing import Replaced, Walk

from .masking import Changes, assert_masking, changes, constant, few, tails

SHAPES = [(2, 3, 3, 4), (2, 3, 5), (2, 6), (1, 1)]

NONLINEAR = {
    "relu": jax.nn.relu,
    "relu6": jax.nn.relu6,
    "gelu": jax.nn.gelu,
    "exact gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "silu": jax.nn.silu,
    "x sigmoid(x)": lambda x: x * jax.nn.sigmoid(x),
    "x tanh(softplus(x))": lambda x: x * jnp.tanh(jax.nn.softplus(x)),
    "elu": jax.nn.elu,
    "leaky relu": jax.nn.leaky_relu,
    "hard swish": jax.nn.hard_swish,
    "x x": lambda x: x * x,
    "cube": lambda x: x**3,
    "reciprocal": lambda x: 1 / (2 + jnp.abs(x)),
    "rsqrt": lambda x: jax.lax.rsqrt(1 + x**2),
    "clip": lambda x: jnp.clip(x, -0.5, 0.5),
    "where": lambda x: jnp.where(x > 0.2, x, -x),
    "where not": lambda x: jnp.where(x > 0.2, 0.0, x),
    "sign": jnp.sign,
    "round": lambda x: jnp.round(3 * x),
    "log1p": lambda x: jnp.log1p(jnp.abs(x)),
    "power": lambda x: jnp.abs(x) ** 0.7,
    "finite": lambda x: jnp.where(jnp.isfinite(x), x, 0.0) - 1,
    "bfloat16 and back": lambda x: x.astype(jnp.bfloat16).astype(jnp.float32),
}
OTHER_TYPES = {
    "whole numbers": lambda x: (10 * x).astype(jnp.int32),
    "big whole numbers": lambda x: 2**25 + 1 + (10 * x).astype(jnp.int32),
    "whether positive": lambda x: x > 0,
}
LINEAR = {
    "negative": lambda x: -x,
    "twice": lambda x: x + x,
    "nothing": lambda x: x - x,
    "half": lambda x: x / 2,
    "scaled": lambda x: 3 * x,
    "subtracted": lambda x: 1 - x,
    "widened": lambda x: x.astype(jnp.float32) + 1,
    "barrier": jax.lax.optimization_barrier,
    "barrier of two": lambda x: jax.lax.optimization_barrier((-x, x))[0],
}


@few(3)
@given(shape=st.sampled_from(SHAPES), given=changes(directions=False))
def test_functions_of_a_number(shape, given):
    assert_masking(NONLINEAR, shape, -1, given)


@few(3)
@given(shape=st.sampled_from(SHAPES), given=changes(directions=False))
def test_other_types_of_numbers(shape, given):
    assert_masking(OTHER_TYPES, shape, -1, given)


@few(4)
@given(shape=st.sampled_from(SHAPES), given=changes(), tail=tails)
def test_linear_functions_of_a_number(shape, given, tail):
    whole = ("dot_general", "reshape")
    dense = {"nothing": ("sub", *whole), "twice": ("add", *whole)}
    assert_masking(LINEAR, shape, -1, given, tail=tail, dense=dense if given.directions else {})


@pytest.mark.parametrize("rows", [1, 2])
def test_directions_are_whole_behind_what_is_not_linear(rows):
    dense = dict.fromkeys(("relu", "silu", "x x"), ("max", "mul", "logistic", "square"))
    functions = {name: NONLINEAR[name] for name in dense}
    assert_masking(functions, (2, 2, 5), -1, Changes(rows, 2, directions=True), dense=dense)


OPERATIONS = {
    "add": jnp.add,
    "subtract": jnp.subtract,
    "subtract from": lambda x, c: c - x,
    "multiply": jnp.multiply,
    "divide": lambda x, c: x / (1.5 + jnp.abs(c)),
    "maximum": jnp.maximum,
    "power": lambda x, c: jnp.abs(x) ** jnp.abs(c),
    "choose": lambda x, c: jnp.where(c > 0, x, c),
    "choose by": lambda x, c: jnp.where(x > c, x, 2.0),
}


@few(4)
@given(shape=st.sampled_from(SHAPES), data=st.data(), given=changes(directions=False), tail=tails)
def test_a_value_with_a_constant(shape, data, given, tail):
    axis = data.draw(st.integers(1, len(shape) - 1))
    size = [data.draw(st.sampled_from([1, full])) for full in shape]
    operations = {
        name: lambda x, operation=operation: operation(x, constant(size))
        for name, operation in OPERATIONS.items()
    }
    operations["number"] = lambda x: jnp.maximum(x, constant(())) * 2
    assert_masking(operations, shape, axis, given, tail=tail)


@few(2)
@given(size=st.sampled_from([(), (2, 3, 4), (1, 1, 4), (1, 3, 1)]), rows=st.sampled_from([1, 3]))
def test_directions_with_a_constant(size, rows):
    functions = {
        name: lambda x, name=name: OPERATIONS[name](x, constant(size))
        for name in ("add", "subtract", "subtract from", "multiply", "divide")
    }
    dense = {} if size == () else {"multiply": ("mul",), "divide": ("div",)}
    given = Changes(rows, 2, directions=True)
    assert_masking(functions, (2, 3, 4), -1, given, dense=dense)


@few(3)
@given(given=changes(directions=False), tail=tails)
def test_values_with_constants_after_flattening(given, tail):
    def function(x):
        flat = x.reshape(2, -1) * constant((1, 36)) + constant((2, 36))
        return flat * jax.nn.sigmoid(flat)

    assert_masking({"flat": function}, (2, 3, 3, 4), -1, given, tail=tail)


@pytest.mark.parametrize("number", [1, 2])
def test_infinite_activations_stay_in_their_channel(number):
    functions = {
        "log": lambda x: jnp.exp(-jnp.abs(jnp.log(jnp.maximum(x, 0)))),
        "infinite": lambda x: jnp.isfinite(x / jnp.maximum(x, 0)),
    }
    assert_masking(functions, (2, 6), -1, Changes(3, number))
    # As they are, not in the range of numbers.
    walk = Walk(2)
    array = jnp.asarray([[jnp.inf, 1.0, -jnp.inf]])
    units = jnp.asarray([[0, 1], [2, -1]])[:, :number]
    form = Replaced(array, jnp.zeros((2, 1, number)), units, 1)
    found = walk.densified(form).value[:, 0]
    wanted = [[0, 1.0, -jnp.inf], [jnp.inf, 1, 0]]
    if number == 2:
        wanted[0][1] = 0
    assert found.tolist() == wanted


def test_batch_norm_in_bfloat16():
    def function(x):
        scale, shift = (constant((1, 1, 1, 5)).astype(x.dtype) for _ in range(2))
        return jax.nn.relu((x - shift) * scale + shift)

    given = Changes(3, 2)
    assert_masking({"norm": function}, (2, 3, 3, 5), -1, given, tail="product", dtype="bfloat16")
