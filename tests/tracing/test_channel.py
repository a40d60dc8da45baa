"""One unit of a layer alone, which equals that unit of the whole layer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxunits.tracing import Graph, channel, trace

from .masking import QUICKLY
from .sites import images

TOLERANCE = 1e-5


def convolution(order, strides=(1, 1), padding="SAME", sides=(3, 3), **options):
    numbers = {"NHWC": ("NHWC", "HWIO", "NHWC"), "NCHW": ("NCHW", "OIHW", "NCHW")}[order]
    sizes = {"H": sides[0], "W": sides[1], "I": 3, "O": 4}
    params = {"kernel": images(tuple(sizes[letter] for letter in numbers[1]), 1)}
    params["bias"] = images((1, 1, 1, 4) if order == "NHWC" else (1, 4, 1, 1), 2)

    def function(params, x):
        x = jax.lax.conv_general_dilated(
            x, params["kernel"], strides, padding, dimension_numbers=numbers, **options
        )
        return x + params["bias"]

    array = images((2, 7, 6, 3) if order == "NHWC" else (2, 3, 7, 6))
    return function, params, array, 3 if order == "NHWC" else 1


CASES = {
    **{
        f"{order} {name}": (lambda order=order, options=options: convolution(order, **options))
        for order in ("NHWC", "NCHW")
        for name, options in {
            "same": {},
            "valid": {"padding": "VALID"},
            "strided": {"strides": (2, 2)},
            "strided valid": {"strides": (3, 3), "padding": "VALID", "sides": (2, 3)},
            "explicit": {"padding": ((2, 0), (1, 1)), "strides": (2, 2)},
            "1x1": {"sides": (1, 1), "strides": (2, 2), "padding": "VALID"},
            # Evaluated whole.
            "unequal strides": {"strides": (1, 2)},
            "dilated": {"rhs_dilation": (2, 2)},
        }.items()
    },
}


def dense():
    params = {"kernel": images((3, 4), 1), "bias": images((1, 4), 2)}
    return lambda p, x: x @ p["kernel"] + p["bias"], params, images((5, 3)), 1


def tokens():
    params = {"kernel": images((3, 4), 1), "bias": images((1, 1, 4), 2)}
    return lambda p, x: x @ p["kernel"] + p["bias"], params, images((2, 5, 3)), 2


def transposed():
    params = {"kernel": images((4, 3), 1)}
    return lambda p, x: jnp.einsum("ntc,oc->nto", x, p["kernel"]), params, images((2, 5, 3)), 2


def heads():
    params = {"kernel": images((3, 2, 4), 1)}
    return lambda p, x: jnp.einsum("nc,cho->nho", x, p["kernel"]), params, images((5, 3)), 2


def heads_first():
    """Units are the first of the kernel's two axes."""
    params = {"kernel": images((3, 4, 2), 1)}
    return lambda p, x: jnp.einsum("nc,cho->nho", x, p["kernel"]), params, images((5, 3)), 1


def weights_left():
    params = {"kernel": images((4, 3), 1)}
    return lambda p, x: jnp.einsum("oc,ntc->ont", p["kernel"], x), params, images((2, 5, 3)), 0


def norm():
    params = {name: images((1, 1, 1, 4), 2 + n) for n, name in enumerate("abcd")}
    params["kernel"] = images((3, 4), 1)

    def function(p, x):
        x = x @ p["kernel"]
        return (x - p["a"]) * jax.lax.rsqrt(jnp.abs(p["b"]) + 1e-3) * p["c"] + p["d"]

    return function, params, images((2, 3, 3, 3)), 3


def residual():
    function, params, array, axis = convolution("NHWC")
    params = {"one": params, "two": convolution("NHWC")[1]}
    params["two"]["kernel"] = images((3, 3, 3, 4), 9)
    return (
        lambda p, x: function(p["one"], x) + 0.5 * function(p["two"], jnp.tanh(x)),
        params,
        array,
        axis,
    )


def shortcut():
    """A sum with what no convolution gives."""
    params = {"kernel": images((3, 3), 1)}
    return lambda p, x: x @ p["kernel"] + jnp.sort(x, 1), params, images((2, 5, 3)), 2


def grouped():
    params = {"kernel": images((3, 3, 1, 6), 1)}

    def function(p, x):
        return jax.lax.conv_general_dilated(
            x,
            p["kernel"],
            (1, 1),
            "SAME",
            feature_group_count=3,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )

    return function, params, images((2, 4, 4, 3)), 3


OTHERS = (
    dense,
    tokens,
    transposed,
    heads,
    heads_first,
    weights_left,
    norm,
    residual,
    shortcut,
    grouped,
)
CASES |= {each.__name__: each for each in OTHERS}
NONLINEARITIES = {"nothing": lambda x: x, "relu": jax.nn.relu, "silu": jax.nn.silu}


def assert_channels(function, params, array, axis, derivatives=True):
    """Every unit alone, and its gradients, against those of the whole layer."""
    program = trace(function, params, array, derivatives=derivatives)
    graph = Graph(program, program.leaves(1))
    value = program.outputs[0]
    units = jnp.arange(value.aval.shape[axis])
    shape = list(value.aval.shape)
    weights = images([1 if place == axis else size for place, size in enumerate(shape)], 4)

    def alone(unit, params, array):
        (found,) = channel(graph, [value], axis, (params, array), unit)
        return (found * weights).sum(), found

    def taken(unit, params, array):
        found = jnp.take(function(params, array), unit[None], axis=axis)
        return (found * weights).sum(), found

    def everything(one):
        both = jax.value_and_grad(one, argnums=(1, 2), has_aux=True)
        mapped = jax.vmap(both, in_axes=(0, None, None))
        return jax.jit(mapped, compiler_options=QUICKLY)(units, params, array)

    found, wanted = everything(alone), everything(taken)
    for mine, other in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        assert mine.shape == other.shape
        scale = max(float(jnp.abs(other).max()), 1e-3)
        np.testing.assert_allclose(mine, other, rtol=0, atol=TOLERANCE * scale)


LESS_COMMON = ("NCHW valid", "NCHW 1x1", "NCHW unequal strides", "NCHW dilated", "NCHW same")
LESS_COMMON += ("NHWC dilated", "NHWC valid", "NCHW explicit", "weights_left", "heads")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (name in LESS_COMMON)) for name in CASES],
)
def test_one_unit(name):
    function, params, array, axis = CASES[name]()
    assert_channels(function, params, array, axis)


@pytest.mark.parametrize("nonlinearity", ["relu", "silu"])
@pytest.mark.parametrize("name", ["NCHW strided", "dense", "norm", "residual"])
def test_one_unit_after_its_nonlinearity(name, nonlinearity):
    function, params, array, axis = CASES[name]()
    after = NONLINEARITIES[nonlinearity]
    assert_channels(lambda p, x: after(function(p, x)), params, array, axis)


def test_gradients_at_zero_are_those_of_the_function():
    function, params, array, axis = dense()
    params = jax.tree.map(jnp.zeros_like, params)
    assert_channels(lambda p, x: jax.nn.relu(function(p, x)), params, array, axis)


def test_nothing_of_other_units_is_computed():
    function, params, array, axis = CASES["NHWC same"]()
    program = trace(function, params, array)
    graph = Graph(program, program.leaves(1))
    jaxpr = jax.make_jaxpr(
        lambda params, array, unit: channel(graph, program.outputs, axis, (params, array), unit)[0]
    )(params, array, jnp.asarray(1))
    whole = program.outputs[0].aval.shape
    shapes = [each.aval.shape for equation in jaxpr.eqns for each in equation.outvars]
    assert whole not in shapes


def test_what_two_values_share_runs_backwards_once():
    function, params, array, axis = CASES["NHWC same"]()
    kernel = images((3, 3, 3, 3), 5)

    def network(params, x):
        x = jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        before = function(params, x)
        return before, jax.nn.relu(before)

    program = trace(network, params, array, derivatives=True)
    graph = Graph(program, program.leaves(1))

    def contractions(wanted):
        def total(array):
            found = channel(graph, wanted, axis, (params, array), jnp.asarray(1))
            return sum(each.sum() for each in found)

        jaxpr = str(jax.make_jaxpr(jax.grad(total))(array))
        return sum(jaxpr.count(f"{name}[") for name in ("conv_general_dilated", "dot_general"))

    before, after = program.outputs
    assert contractions([before, after]) == contractions([after]) == 4
