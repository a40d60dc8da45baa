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
from jaxtyping import Array, Float, Float32, PyTree

from .._programs import kept
from ..networks import Classifier
from ..networks._function import Traced
from ..tracing import RULES, Program, Walk, multiply_adds, split, trace
from ._encoding import encode
from ._masked import ablated_values, replaced, seeds_of_others
from ._method import Case, Functions, LaidOut, Method, Work, fixed_arguments
from ._question import Inputs, Question


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


@dataclass(frozen=True)
class Fast(Method):
    """Masks as changes of base masks.

    Attributes:
      at_once: masks that are evaluated together.
      running: whether masks are reached from one another.
      base: which base mask each chunk of masks starts from.
    """

    name = "fast"

    running: bool = False
    base: tuple[int, ...] = ()

    @classmethod
    def obstacle(cls, network: Classifier, question: Question) -> str:
        """Masks that are no changes of units, or that change what lies before them."""
        if not np.isin(question.masks, (0, 1)).all():
            return "masks hold numbers other than 0 and 1"
        order = list(network.layers)
        layer = question.layer.name
        for name in question.along:
            if order.index(name) < order.index(layer):
                return f"masks of layer {name!r}, before layer {layer!r}, differ from row to row"
        return ""

    @classmethod
    def work(cls, network: Classifier, question: Question) -> Work:
        """What is behind the layer once a base mask, and what a change reaches once a mask."""
        encoding = encode(question.masks.astype(bool), 1)
        counts = (encoding.changes, len(encoding.bases), len(question.masks))
        return _work(Case.of(network, question), *counts, running=encoding.running)

    @classmethod
    def lay_out(cls, question: Question, at_once: int) -> LaidOut:
        """Changes in chunks, and masks of other layers in the same rows."""
        encoding = encode(question.masks.astype(bool), at_once)
        chunks, length, _ = encoding.units.shape
        along = {
            name: _placed(masks, encoding.position, chunks * length).reshape(chunks, length, -1)
            for name, masks in question.along.items()
        }
        given = {
            "fixed": fixed_arguments(question),
            "bases": encoding.bases,
            "change": {"units": encoding.units, "signs": encoding.signs, "along": along},
        }
        method = cls(min(at_once, length), encoding.running, tuple(encoding.base.tolist()))
        return LaidOut(method, given, encoding.position)

    def from_base(self, arguments: PyTree, kept: Float32[np.ndarray, " units"]) -> PyTree:
        """With other base masks."""
        return {**arguments, "bases": arguments["bases"] & kept.astype(bool).reshape(1, -1)}

    def functions(self, traced: Traced, layer: str, shapes: Mapping[str, Any]) -> Functions:
        """The stages, each as often as it has to run."""
        given, rows = shapes["arguments"], self.at_once
        of_rows = jax.tree.map(
            lambda part: _shape((rows, *part.shape[2:]), part.dtype), given["change"]
        )
        base = _shape(given["bases"].shape[1:], bool)
        known = {"params": shapes["params"], "inputs": shapes["inputs"], "fixed": given["fixed"]}
        parts = stages(
            traced, layer, {**known, "base": base, "change": of_rows}, running=self.running
        )
        chunks = np.asarray(self.base)
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
            if self.running:
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


@kept
def _work(case: Case, changes: int, bases: int, masks: int, *, running: bool) -> Work:
    traced, shapes = case.traced()
    change = {
        "units": _shape((1, changes), jnp.int32),
        "signs": _shape((1, changes), jnp.float32),
        "along": jax.tree.map(lambda each: _shape((1, *each.shape), each.dtype), case.along.tree()),
    }
    base = _shape((case.units,), bool)
    parts = stages(traced, case.layer, {**shapes, "base": base, "change": change}, running=running)
    # Parameters that are reshaped for every mask are held once.
    own = {"changes": parts.change, "base": multiply_adds(parts.middle), "bases": bases}
    return Work.of(parts.early, parts.late, masks, **own)


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
