"""The reference path: all that follows a layer, evaluated under every mask.

It serves any network and any mask, and the fast path is tested against it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float32, PyTree

from .._programs import kept
from ..networks import Classifier, ablate
from ..networks._function import Traced
from ..tracing import Program, split, trace
from ._masked import ablated_values, without_directions
from ._method import Case, Functions, LaidOut, Method, Work, fixed_arguments
from ._question import Inputs, Question


@dataclass(frozen=True)
class Reference(Method):
    """Whole masks."""

    name = "reference"

    @classmethod
    def obstacle(cls, network: Classifier, question: Question) -> str:
        """None ever."""
        del network, question
        return ""

    @classmethod
    def work(cls, network: Classifier, question: Question) -> Work:
        """All that is behind the layer once a mask."""
        return _work(Case.of(network, question), len(question.masks))

    @classmethod
    def lay_out(cls, question: Question, at_once: int) -> LaidOut:
        """Rows of masks, as many as a whole number of those together."""
        count = len(question.masks)
        at_once = min(at_once, count)
        rows = -(-count // at_once) * at_once

        def padded(masks: np.ndarray) -> Float32[np.ndarray, "rows units"]:
            result = np.ones((rows, masks.shape[1]), np.float32)
            result[:count] = masks
            return result

        given = {
            "fixed": fixed_arguments(question),
            "masks": padded(question.masks),
            "along": {name: padded(each) for name, each in question.along.items()},
        }
        return LaidOut(cls(at_once), given, np.arange(count, dtype=np.int32))

    def from_base(self, arguments: PyTree, kept: Float32[np.ndarray, " units"]) -> PyTree:
        """With fewer units in every mask."""
        return {**arguments, "masks": arguments["masks"] * kept.reshape(1, -1)}

    def functions(self, traced: Traced, layer: str, shapes: Mapping[str, Any]) -> Functions:
        """What is behind the layer, mapped over masks."""
        given, at_once = shapes["arguments"], self.at_once
        row = {
            name: jax.ShapeDtypeStruct(each.shape[1:], each.dtype)
            for name, each in {**given["along"], layer: given["masks"]}.items()
        }
        known = {"params": shapes["params"], "inputs": shapes["inputs"], "fixed": given["fixed"]}
        constants, early, late = _stages(traced, layer, known, row)

        def shared_by_all(params: PyTree, arguments: PyTree) -> PyTree:
            return constants(params, arguments["fixed"])

        def prepare(known: PyTree, params: PyTree, inputs: Inputs, arguments: PyTree) -> PyTree:
            return early(known, params, arguments["fixed"], *inputs)

        def evaluate(
            known: PyTree,
            params: PyTree,
            state: PyTree,
            arguments: PyTree,
            outcome: Callable[[Array], PyTree],
        ) -> PyTree:
            fixed = arguments["fixed"]

            def one_mask(row: PyTree) -> PyTree:
                return outcome(late(state, known, params, fixed, None, None, row))

            each = {**arguments["along"], layer: arguments["masks"]}
            return jax.lax.map(one_mask, each, batch_size=at_once if at_once > 1 else None)

        return Functions(shared_by_all, prepare, evaluate)


@kept
def _work(case: Case, masks: int) -> Work:
    traced, shapes = case.traced()
    unit_mask = jax.ShapeDtypeStruct((case.units,), np.float32)
    _, early, late = _stages(
        traced, case.layer, shapes, {**case.along.tree(), case.layer: unit_mask}
    )
    return Work.of(early, late, masks)


def _stages(
    traced: Traced, layer: str, shapes: Mapping[str, Any], row: PyTree
) -> tuple[Program, Program, Program]:
    """What parameters, images and masks need, each by itself.

    Args:
      traced: the network for a batch's images.
      layer: the layer.
      shapes: of `params`, `fixed` and `inputs`.
      row: shapes of one mask by layer.
    """

    def one(params: Any, fixed: Any, images: Any, partners: Any, masks: Any) -> Any:
        replace: dict[Any, Callable[[Any], Any]] = {}
        values = ablated_values(traced, layer, params, fixed, partners)
        for name, mask in {**fixed["held"], **masks}.items():
            axis = traced.axes[name]
            for variable in traced.sites[name].values:
                replace[variable] = _ablation(mask, values.get(variable), axis)
        if "basis" in fixed:
            axis, basis, mask = traced.axes[layer], fixed["basis"], masks[layer]
            for variable in traced.sites[layer].values:
                replace[variable] = lambda array: without_directions(array, axis, basis, mask)
        program = traced.program
        return program.values((params, images), program.outputs, replace)[0]

    program = trace(one, shapes["params"], shapes["fixed"], *shapes["inputs"], row)
    constants, program = split(program, (2, 3, 4), passed=(0, 1))
    early, late = split(program, (5,), passed=(0, 1, 2))
    return constants, early, late


def _ablation(mask: Any, values: Any, axis: int) -> Callable[[Any], Any]:
    return lambda array: ablate(array, mask, values, axis=axis)
