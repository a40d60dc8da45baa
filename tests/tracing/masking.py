"""A function under masks, evaluated in forms and by a loop that replaces channels."""

import dataclasses
import functools
import os

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import Phase, settings
from hypothesis import strategies as st

from jaxunits.tracing import RULES, Replaced, Walk, trace

# Programs that run once are not worth optimizing, nor failures worth shrinking.
QUICKLY = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)

TOLERANCES = {"float32": 1e-5, "bfloat16": 3e-2}


@dataclasses.dataclass(frozen=True)
class Changes:
    """How many rows, how many changes for each, and whether they are kept for the next rows."""

    rows: int
    changes: int
    running: bool = False
    directions: bool = False
    seed: int = 0


def changes(*, directions=True):
    """Changes of every kind; those along directions only where operations are linear."""
    rows, seeds = st.sampled_from([1, 3]), st.integers(0, 2**16)
    plain = st.builds(Changes, rows, st.integers(1, 3), st.booleans(), seed=seeds)
    if not directions:
        return plain
    turned = st.builds(
        Changes, rows, st.integers(1, 2), st.booleans(), directions=st.just(True), seed=seeds
    )
    return st.one_of(plain, turned)


def assert_masking(functions, shape, axis, given, *, dense=None, tail="none", dtype="float32"):
    """Evaluate functions in forms, in one program, and compare with a loop.

    Args:
      functions: by name, of activations.
      shape: of the activations.
      axis: their axis of units.
      given: `Changes`.
      dense: by name the operations that may be evaluated whole for every row.
      tail: what follows: nothing, a `product` over all axes but the first, or one over the `flat`
        array, where channels that are named wrongly show.
      dtype: of the activations.
    """
    random = np.random.default_rng(given.seed)
    axis %= len(shape)
    array, slices, units, vectors = _drawn(random, shape, axis, given, dtype)
    whole = {
        name: functools.partial(_with_tail, tail, function, given.seed)
        for name, function in functions.items()
    }
    programs = {name: trace(function, array) for name, function in whole.items()}
    names = {}

    def evaluate(array, slices, units, vectors, before):
        def seed(value):
            return Replaced(value, slices, units, axis, vectors=vectors)

        results, after = {}, {}
        for name, program in programs.items():
            walk = Walk(len(units), running=given.running, before=before and before[name])
            (result,) = walk.run(program, (array,), {program.inputs[0]: seed}, RULES)
            results[name] = walk.densified(result).value
            after[name], names[name] = walk.after, walk.dense
        return results, after

    compiled = jax.jit(evaluate, compiler_options=QUICKLY)
    parts, before = [], None
    for start in range(0, len(units), given.rows):
        part = slice(start, start + given.rows)
        turned = None if vectors is None else vectors[part]
        results, after = compiled(array, slices[part], units[part], turned, before)
        before = after if given.running else None
        parts.append(results)
    changed = _replaced(array, slices, units, vectors, axis, given.running)
    plain = jax.jit(
        lambda array: {name: function(array) for name, function in whole.items()},
        compiler_options=QUICKLY,
    )
    rows = [plain(each) for each in changed]
    for name in functions:
        found = np.concatenate([np.asarray(part[name], np.float64) for part in parts])
        wanted = np.stack([np.asarray(row[name], np.float64) for row in rows])
        allowed = TOLERANCES[dtype] * max(np.abs(wanted).max(initial=0), 1e-3)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=allowed, err_msg=name)
        extra = set(names[name]) - set((dense or {}).get(name, ()))
        assert not extra, f"{name}: {extra} evaluated whole"


def _drawn(random, shape, axis, given, dtype):
    """Activations, and changes for the rows of one call, or two where the first's are kept."""
    rows = given.rows * (2 if given.running else 1)
    channels = shape[axis]
    count = given.changes if given.directions else min(given.changes, channels)
    units = np.full((rows, count), -1, np.int32)
    left = list(random.permutation(channels))
    for row in range(rows):
        # No unit changes twice where changes are kept.
        chosen = left if given.running else list(random.permutation(channels))
        for number in range(count if row % 2 == 0 else count - 1):
            if chosen:
                units[row, number] = chosen.pop()
    sides = list(shape)
    sides[axis] = count
    array = random.normal(size=shape)
    slices = random.normal(size=(rows, *sides))
    vectors = None
    if given.directions:
        vectors = random.normal(size=(rows, count, channels))
        there = [1] * slices.ndim
        there[0], there[axis + 1] = rows, count
        slices = slices * (units >= 0).reshape(there)
        vectors = jnp.asarray(vectors, dtype)
    return jnp.asarray(array, dtype), jnp.asarray(slices, dtype), jnp.asarray(units), vectors


def _replaced(array, slices, units, vectors, axis, running):
    """For every row the activations, by a loop."""
    dtype = array.dtype
    start = np.moveaxis(np.asarray(array, np.float64), axis, -1)
    pieces = np.moveaxis(np.asarray(slices, np.float64), axis + 1, -1)
    rows, current = [], start
    for row, chosen in enumerate(np.asarray(units)):
        current = (current if running else start).copy()
        for number, unit in enumerate(chosen):
            if vectors is not None:
                vector = np.asarray(vectors[row, number], np.float64)
                current = current + pieces[row, ..., number, None] * vector
            elif unit >= 0:
                current[..., unit] = pieces[row, ..., number]
        rows.append(jnp.asarray(np.moveaxis(current, -1, axis), dtype))
    return rows


def _with_tail(tail, function, seed, array):
    result = function(array)
    if tail == "none":
        return result
    size = int(np.prod(result.shape[1:]))
    random = np.random.default_rng(seed + 1)
    weights = jnp.asarray(random.normal(size=(size, 2)) / np.sqrt(size), result.dtype)
    if tail == "flat":
        return result.reshape(len(result), -1) @ weights
    axes = tuple(range(1, result.ndim))
    unfolded = weights.reshape(*result.shape[1:], 2)
    return jnp.tensordot(result, unfolded, (axes, tuple(axis - 1 for axis in axes)))


tails = st.sampled_from(["none", "product", "flat"])


def constant(shape, seed=7):
    """Random numbers that no mask reaches."""
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def few(examples):
    """So many examples, for a machine of two cores; ten times as many to look for new ones."""
    explores = os.environ.get("HYPOTHESIS_PROFILE") == "explore"
    return settings(max_examples=examples * (10 if explores else 1), phases=PHASES)
