"""The fast path: what a unit changes behind it, instead of the whole network again.

What does not depend on the masks is computed once, and of what lies behind the layer only what a
changed unit reaches: its own channel, its contribution to what sums over channels, and then the
rest. All of it is read from the traced network.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from ..networks._function import Traced
from ..tracing import RULES, Program, Walk, split, trace
from ._encoding import Encoding
from ._masked import ablated_values, replaced, seeds_of_others
from ._path import Functions, Layout, Path
from ._question import Inputs


@dataclass(frozen=True, eq=False)
class Stages:
    """A network under changed masks, in the parts that are computed ever more often.

    Attributes:
      constants: of parameters and fixed arguments alone.
      early: for every batch.
      middle: for every base mask.
      late: for every few masks.
      change: the number of the argument of `late` that tells the masks.
      before: shapes of what a chunk's masks have changed so far, where they build on one another.
    """

    constants: Program
    early: Program
    middle: Program
    late: Program
    change: int
    before: PyTree


def stages(traced: Traced, layer: str, shapes: Mapping[str, Any], *, running: bool) -> Stages:
    """The parts of a network under changes of a layer's masks.

    Args:
      traced: the network for a batch's images.
      layer: the layer.
      shapes: of `params`, `fixed`, `inputs`, `base` and `change`.
      running: whether every mask's changes come on top of those of the masks before it.
    """

    def rows(
        params: Any, fixed: Any, images: Any, partners: Any, base: Any, change: Any, before: Any
    ) -> Any:
        walk = Walk(len(change["units"]), running=running, before=before)
        axis = traced.axes[layer]

        def seed(value: Any) -> Any:
            units, signs = change["units"], change["signs"]
            return lambda array: replaced(array, axis, fixed, value, base, units, signs)

        seeds = seeds_of_others(walk, traced, fixed["held"], change["along"])
        values = ablated_values(traced, layer, params, fixed, partners)
        seeds |= {variable: seed(value) for variable, value in values.items()}
        (logits,) = walk.run(traced.program, (params, images), seeds, RULES)
        return walk.densified(logits).value, walk.after

    given = [shapes["params"], shapes["fixed"], *shapes["inputs"], shapes["base"], shapes["change"]]
    before = None
    if running:
        before = jax.eval_shape(functools.partial(rows, before=None), *given)[1]
    program = trace(rows, *given, before)
    constants, program = split(program, (2, 3, 4, 5, 6), passed=(0, 1))
    early, program = split(program, (5, 6, 7), passed=(0, 1, 2))
    middle, late = split(program, (7, 8), passed=(0, 1, 2, 3))
    return Stages(constants, early, middle, late, 8, before)


def fast_path(encoding: Encoding, arguments: Mapping[str, Any], at_once: int) -> Path:
    """Masks as changes.

    Args:
      encoding: the masks.
      arguments: `fixed` arguments, and masks `along` of other layers, `[masks, units]`.
      at_once: masks that are evaluated together.
    """
    chunks, length, _ = encoding.units.shape
    placed = {
        name: _placed(masks, encoding.position, chunks * length).reshape(chunks, length, -1)
        for name, masks in arguments["along"].items()
    }
    given = {
        "fixed": arguments["fixed"],
        "bases": encoding.bases,
        "change": {"units": encoding.units, "signs": encoding.signs, "along": placed},
    }
    base = tuple(encoding.base.tolist())
    layout = Layout("fast", min(at_once, length), encoding.running, base)
    return Path(layout, given, encoding.position)


def fast_functions(
    traced: Traced, layer: str, layout: Layout, shapes: Mapping[str, Any]
) -> Functions:
    """What evaluates changes.

    Args:
      traced: the network for a batch's images.
      layer: the layer.
      layout: how the masks lie in the arguments.
      shapes: of `params`, `inputs` and `arguments`.
    """
    given, rows = shapes["arguments"], layout.at_once
    of_rows = jax.tree.map(
        lambda part: _shape((rows, *part.shape[2:]), part.dtype), given["change"]
    )
    base = _shape(given["bases"].shape[1:], bool)
    known = {"params": shapes["params"], "inputs": shapes["inputs"], "fixed": given["fixed"]}
    parts = stages(
        traced, layer, {**known, "base": base, "change": of_rows}, running=layout.running
    )
    chunks = np.asarray(layout.base)
    groups = [np.flatnonzero(chunks == number) for number in range(given["bases"].shape[0])]
    order = np.argsort(np.concatenate(groups), kind="stable")

    def shared_by_all(params: PyTree, arguments: PyTree) -> PyTree:
        return parts.constants(params, arguments["fixed"])

    def prepare(constants: PyTree, params: PyTree, inputs: Inputs, arguments: PyTree) -> PyTree:
        return parts.early(constants, params, arguments["fixed"], *inputs)

    def evaluate(
        constants: PyTree,
        params: PyTree,
        state: PyTree,
        arguments: PyTree,
        outcome: Callable[[Array], PyTree],
    ) -> PyTree:
        fixed = arguments["fixed"]
        run = functools.partial(_chunk, parts, (state, constants, params, fixed), rows, outcome)
        if layout.running:
            bases = arguments["bases"][chunks]
            found = jax.lax.map(lambda each: run(*each), (bases, arguments["change"]))
        else:
            pieces = []
            for number, members in enumerate(groups):
                shared = parts.middle(
                    state, constants, params, fixed, None, None, arguments["bases"][number]
                )
                chosen = jax.tree.map(lambda part, at=members: part[at], arguments["change"])
                pieces.append(jax.lax.map(functools.partial(run, None, shared=shared), chosen))
            found = jax.tree.map(lambda *each: jnp.concatenate(each)[order], *pieces)
        return jax.tree.map(lambda part: part.reshape(-1, *part.shape[3:]), found)

    return Functions(shared_by_all, prepare, evaluate)


def _chunk(
    parts: Stages,
    known: tuple[PyTree, ...],
    rows: int,
    outcome: Callable[[Float[Array, "images classes"]], PyTree],
    base: Any,
    change: PyTree,
    *,
    shared: PyTree = None,
) -> PyTree:
    """Outcomes of the masks of a chunk, `[groups, rows, ...]`."""
    if shared is None:
        shared = parts.middle(*known, None, None, base)

    def group(before: PyTree, change: PyTree) -> tuple[PyTree, PyTree]:
        logits, after = parts.late(shared, *known, None, None, None, change, before)
        if rows > 1:
            return after, jax.vmap(outcome)(logits)
        return after, jax.tree.map(lambda part: part[None], outcome(logits[0]))

    grouped = jax.tree.map(lambda part: part.reshape(-1, rows, *part.shape[1:]), change)
    if parts.before is None:
        # One group, since a chunk has no more masks than are evaluated together.
        outcomes = group(None, jax.tree.map(lambda part: part[0], grouped))[1]
        return jax.tree.map(lambda part: part[None], outcomes)
    nothing = jax.tree.map(lambda part: jnp.zeros(part.shape, part.dtype), parts.before)
    return jax.lax.scan(group, nothing, grouped)[1]


def _placed(masks: np.ndarray, position: np.ndarray, rows: int) -> np.ndarray:
    placed = np.ones((rows, masks.shape[1]), np.float32)
    placed[position] = masks
    return placed


def _shape(shape: tuple[int, ...], dtype: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype)
