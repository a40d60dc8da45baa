"""The fast path: what a unit changes behind it, instead of the whole network again.

What does not depend on the masks is computed once, and of what lies behind the layer only what a
changed unit reaches: its own channel, its contribution to what sums over channels, and then the
rest. All of it is read from the traced network.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, PyTree

from ..execution import Images
from ..networks._function import Traced
from ..tracing import RULES, Program, Walk, split, trace
from ._encoding import encode
from ._masked import ablated_values, replaced, seeds_of_others
from ._method import LaidOut, Method, Stages, fixed_arguments, placed
from ._question import Question


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

    @property
    def bases(self) -> int:
        """How many base masks there are."""
        return 1 + max(self.base)

    @classmethod
    def obstacle(cls, question: Question) -> str:
        """Masks that are no changes of units, or that change what lies before them."""
        if not np.isin(question.masks, (0, 1)).all():
            return "masks hold numbers other than 0 and 1"
        order = list(question.network.layers)
        layer = question.layer.name
        for name in question.along:
            if order.index(name) < order.index(layer):
                return f"masks of layer {name!r}, before layer {layer!r}, differ from row to row"
        return ""

    @classmethod
    def lay_out(cls, question: Question, at_once: int) -> LaidOut:
        """Changes in chunks, and masks of other layers in the same rows."""
        encoding = encode(question.masks.astype(bool), at_once)
        chunks, length, _ = encoding.units.shape
        along = {
            name: placed(masks, encoding.position, chunks * length).reshape(chunks, length, -1)
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

    def stages(
        self, traced: Traced, layer: str, params: PyTree, inputs: Images, arguments: PyTree
    ) -> Stages:
        """What no mask reaches, what a base mask does, and what a change of it does."""
        change = jax.tree.map(
            lambda part: _shape((self.at_once, *part.shape[2:]), part.dtype), arguments["change"]
        )

        def rows(
            params: Any, fixed: Any, images: Any, partners: Any, base: Any, change: Any, before: Any
        ) -> Any:
            walk = Walk(len(change["units"]), running=self.running, before=before)
            axis = traced.axes[layer]

            def seed(value: Any) -> Any:
                units, signs = change["units"], change["signs"]
                return lambda array: replaced(array, axis, fixed, value, base, units, signs)

            seeds = seeds_of_others(walk, traced, fixed["held"], change["along"])
            values = ablated_values(traced, layer, params, fixed, partners)
            seeds |= {variable: seed(value) for variable, value in values.items()}
            (logits,) = walk.run(traced.program, (params, images), seeds, RULES)
            return walk.densified(logits).value, walk.after

        base = _shape(arguments["bases"].shape[1:], bool)
        given = [params, arguments["fixed"], inputs.images, inputs.partners, base, change]
        before = None
        if self.running:
            before = jax.eval_shape(functools.partial(rows, before=None), *given)[1]
        program = trace(rows, *given, before)
        constants, program = split(program, (2, 3, 4, 5, 6), passed=(0, 1))
        early, program = split(program, (5, 6, 7), passed=(0, 1, 2))
        middle, late = split(program, (7, 8), passed=(0, 1, 2, 3))
        return Stages(constants, early, middle, late, change=8, before=before)

    def evaluate(
        self,
        stages: Stages,
        known: tuple[PyTree, ...],
        arguments: PyTree,
        outcome: Callable[[Array], PyTree],
    ) -> PyTree:
        """Chunk by chunk."""
        chunks, bases = np.asarray(self.base), arguments["bases"]
        chunk = functools.partial(_chunk, stages, known, self.at_once, outcome)
        middle = functools.partial(cast(Program, stages.middle), *known, None, None)
        if self.running:
            found = jax.lax.map(
                lambda each: chunk(middle(each[0]), each[1]), (bases[chunks], arguments["change"])
            )
        else:
            groups = [np.flatnonzero(chunks == number) for number in range(self.bases)]
            order = np.argsort(np.concatenate(groups), kind="stable")
            pieces = []
            for number, members in enumerate(groups):
                chosen = jax.tree.map(lambda part, at=members: part[at], arguments["change"])
                shared = middle(bases[number])
                pieces.append(jax.lax.map(functools.partial(chunk, shared), chosen))
            found = jax.tree.map(lambda *each: jnp.concatenate(each)[order], *pieces)
        return jax.tree.map(lambda part: part.reshape(-1, *part.shape[3:]), found)


def _chunk(
    stages: Stages,
    known: tuple[PyTree, ...],
    rows: int,
    outcome: Callable[[Float[Array, "images classes"]], PyTree],
    shared: PyTree,
    change: PyTree,
) -> PyTree:
    """Outcomes of the masks of a chunk, `[groups, rows, ...]`."""

    def group(before: PyTree, change: PyTree) -> tuple[PyTree, PyTree]:
        logits, after = stages.late(shared, *known, None, None, None, change, before)
        if rows > 1:
            return after, jax.vmap(outcome)(logits)
        return after, jax.tree.map(lambda part: part[None], outcome(logits[0]))

    grouped = jax.tree.map(lambda part: part.reshape(-1, rows, *part.shape[1:]), change)
    if stages.before is None:
        # One group, since a chunk has no more masks than are evaluated together.
        outcomes = group(None, jax.tree.map(lambda part: part[0], grouped))[1]
        return jax.tree.map(lambda part: part[None], outcomes)
    nothing = jax.tree.map(lambda part: jnp.zeros(part.shape, part.dtype), stages.before)
    return jax.lax.scan(group, nothing, grouped)[1]


def _shape(shape: tuple[int, ...], dtype: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype)
