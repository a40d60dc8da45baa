"""Programs: calls put in place, loops with marks unrolled, and the split in two."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxunits.tracing import Graph, find_sites, split, trace, unit

from .sites import images

WEIGHTS = {"one": images((3, 3), 1), "two": images((3, 3), 2)}


@jax.custom_jvp
def sevenfold(x):
    return 2 * x


sevenfold.defjvp(lambda x, dx: (sevenfold(x[0]), 7 * dx[0]))


@jax.custom_vjp
def ninefold(x):
    return jnp.sin(x)


ninefold.defvjp(lambda x: (ninefold(x), None), lambda _, dy: (9 * dy,))


def nested(params, x):
    @jax.jit
    def inner(x):
        @jax.checkpoint
        def innermost(x):
            return unit(jnp.tanh(x @ params["one"]), "innermost")

        return jax.jit(innermost)(x) + 1

    x = unit(inner(x), "inner")
    return jax.nn.relu(ninefold(sevenfold(x))) @ params["two"]


def looped(params, x, *, reverse=False):
    def one(x, weights):
        x = unit(jax.nn.relu(x @ weights), "round")
        return x, x.sum()

    stacked = jnp.stack([params["one"], params["two"], params["one"]])
    x, sums = jax.lax.scan(one, x, stacked, reverse=reverse)
    return x, sums


def names_of(program):
    return [site.name for site in find_sites(Graph(program, program.leaves(1)))]


def test_calls_are_put_in_place():
    x = images((4, 3))
    program = trace(nested, WEIGHTS, x)
    assert names_of(program) == ["innermost", "inner"]
    names = {each.primitive.name for each in program.equations}
    assert not names & {"jit", "pjit", "checkpoint", "remat2", "custom_jvp_call", "custom_vjp_call"}
    np.testing.assert_allclose(program(WEIGHTS, x), nested(WEIGHTS, x), rtol=1e-5, atol=1e-6)


def test_derivatives_of_their_own_are_kept():
    x = images((4, 3)).at[0].set(0)
    program = trace(nested, WEIGHTS, x, derivatives=True)
    assert names_of(program) == ["innermost", "inner"]
    found = jax.grad(lambda x: program(WEIGHTS, x).sum())(x)
    wanted = jax.grad(lambda x: nested(WEIGHTS, x).sum())(x)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    relu = trace(jax.nn.relu, x, derivatives=True)
    slope = jax.grad(lambda x: relu(x).sum())(x)
    np.testing.assert_array_equal(slope, x > 0)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("called", [False, True])
def test_loops_that_contain_marks_are_unrolled(reverse, called):
    x = images((4, 3))
    function = functools.partial(looped, reverse=reverse)
    traced = (lambda params, x: jax.jit(function)(params, x)) if called else function
    program = trace(traced, WEIGHTS, x)
    order = [2, 1, 0] if reverse else [0, 1, 2]
    assert "scan" not in {each.primitive.name for each in program.equations}
    marks = [
        each.params["name"].removeprefix("unit:")
        for each in program.equations
        if each.primitive.name == "name"
    ]
    assert marks == [f"round[{number}]" for number in order]
    for found, wanted in zip(program(WEIGHTS, x), function(WEIGHTS, x), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_loops_in_loops():
    def function(params, x):
        def outer(x, _):
            x, _ = looped(params, x / 10)
            return x, None

        return jax.lax.scan(outer, x, None, length=2)[0]

    x = images((4, 3))
    program = trace(function, WEIGHTS, x)
    rounds = [f"round[{outer}][{inner}]" for outer in range(2) for inner in range(3)]
    assert names_of(program) == rounds
    np.testing.assert_allclose(program(WEIGHTS, x), function(WEIGHTS, x), rtol=1e-5, atol=1e-6)


def test_loops_without_marks_stay():
    def function(params, x):
        return jax.lax.scan(lambda x, w: (jnp.tanh(x * w), None), x, params["one"][:, None])[0]

    x = images((4, 3))
    program = trace(function, WEIGHTS, x)
    assert "scan" in {each.primitive.name for each in program.equations}
    np.testing.assert_allclose(program(WEIGHTS, x), function(WEIGHTS, x), rtol=1e-5, atol=1e-6)


def test_what_outputs_do_not_depend_on_is_left_out():
    def function(params, x):
        jnp.exp(x @ params["one"])
        return {"x": x, "number": 3.0, "constant": jnp.arange(2)}

    x = images((4, 3))
    program = trace(function, WEIGHTS, x)
    assert "exp" not in {each.primitive.name for each in program.equations}
    found = program(WEIGHTS, x)
    assert set(found) == {"x", "number", "constant"}
    np.testing.assert_array_equal(found["x"], x)
    assert found["number"] == 3


def test_values_under_replacements():
    x = images((4, 3))
    program = trace(nested, WEIGHTS, x)
    sites = {site.name: site for site in find_sites(Graph(program, program.leaves(1)))}
    variable = sites["innermost"].values[0]
    replace = {variable: lambda value: value.at[:, 1].set(0)}
    (found,) = program.values((WEIGHTS, x), program.outputs, replace)
    hidden = jnp.tanh(x @ WEIGHTS["one"]).at[:, 1].set(0) + 1
    wanted = jax.nn.relu(jnp.sin(2 * hidden)) @ WEIGHTS["two"]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    first = program.inputs[-1]
    (found,) = program.values((WEIGHTS, x), [first], {first: lambda value: value + 1})
    np.testing.assert_array_equal(found, x + 1)


def pieces(params, x, late, tree):
    hidden = jnp.tanh(x @ params["one"]) + jnp.cos(tree["a"])
    behind = hidden * late["scale"] + jnp.exp(params["two"][:1])
    return {"result": behind + tree["b"], "hidden": hidden, "late": late["scale"] + 1, "x": x}


@pytest.mark.parametrize("late", [(2,), (2, 3), (0,), (1, 2), (0, 1, 2, 3), ()])
@pytest.mark.parametrize("passed", [(), (0,), (0, 1)])
def test_a_split_program_gives_what_the_whole_gives(late, passed):
    arguments = (
        WEIGHTS,
        images((4, 3)),
        {"scale": images((1, 3), 5)},
        {"a": images((1, 3), 6), "b": 2.0},
    )
    program = trace(pieces, *arguments)
    early, rest = split(program, late, passed)
    ahead = [each for number, each in enumerate(arguments) if number not in late]
    kept = early(*ahead)
    assert isinstance(kept, list)
    # Early arguments that are not passed on are not read again.
    again = [
        each if number in (*late, *passed) else jax.tree.map(jnp.zeros_like, each)
        for number, each in enumerate(arguments)
    ]
    found, wanted = rest(kept, *again), pieces(*arguments)
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-6)


def test_early_holds_what_does_not_depend_on_late_arguments():
    arguments = (
        WEIGHTS,
        images((4, 3)),
        {"scale": images((1, 3))},
        {"a": images((1, 3)), "b": 2.0},
    )
    early, late = split(trace(pieces, *arguments), (2,))
    names = [{each.primitive.name for each in half.equations} for half in (early, late)]
    assert {"dot_general", "tanh", "cos", "exp"} <= names[0]
    assert not names[1] & {"dot_general", "tanh", "cos", "exp"}
    assert "mul" not in names[0]
    early, late = split(trace(pieces, *arguments), (0,))
    assert "cos" in {each.primitive.name for each in early.equations}
    assert "dot_general" in {each.primitive.name for each in late.equations}


def test_what_is_cheap_to_compute_again_is_not_kept():
    def function(x, late):
        return jnp.broadcast_to(x[:, None], (4, 50, 3)) * late

    early, _ = split(trace(function, images((4, 3)), images((4, 50, 3))), (1,))
    (kept,) = early(images((4, 3)))
    assert kept.shape == (4, 3)
