"""The reference path: all that follows a layer, evaluated under every mask.

It serves any network and any mask, and the fast path is tested against it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float32, PyTree

from ..execution import Images
from ..networks import ablate
from ..networks._function import Traced
from ..tracing import split, trace
from ._masked import ablated_values, without_directions
from ._method import LaidOut, Method, Stages, fixed_arguments, placed
from ._question import Question


@dataclass(frozen=True)
class Reference(Method):
    """Whole masks.

    Attributes:
      layer: the layer, whose masks lie beside those of others that go along.
    """

    name = "reference"

    layer: str = ""

    @classmethod
    def obstacle(cls, question: Question) -> str:
        """None ever."""
        del question
        return ""

    @classmethod
    def lay_out(cls, question: Question, at_once: int) -> LaidOut:
        """Rows of masks, as many as a whole number of those together."""
        count, layer = len(question.masks), question.layer.name
        at_once = min(at_once, count)
        rows, position = -(-count // at_once) * at_once, np.arange(count, dtype=np.int32)
        masks = {
            name: placed(each, position, rows)
            for name, each in {**question.along, layer: question.masks}.items()
        }
        given = {"fixed": fixed_arguments(question), "masks": masks}
        return LaidOut(cls(at_once, layer), given, position)

    def from_base(self, arguments: PyTree, kept: Float32[np.ndarray, " units"]) -> PyTree:
        """With fewer units in every mask."""
        masks = arguments["masks"]
        own = masks[self.layer] * kept.reshape(1, -1)
        return {**arguments, "masks": {**masks, self.layer: own}}

    def stages(
        self, traced: Traced, layer: str, params: PyTree, inputs: Images, arguments: PyTree
    ) -> Stages:
        """What parameters, images and masks need, each by itself."""
        row = jax.tree.map(
            lambda masks: jax.ShapeDtypeStruct(masks.shape[1:], masks.dtype), arguments["masks"]
        )

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

        program = trace(one, params, arguments["fixed"], inputs.images, inputs.partners, row)
        constants, program = split(program, (2, 3, 4), passed=(0, 1))
        early, late = split(program, (5,), passed=(0, 1, 2))
        return Stages(constants, early, None, late)

    def evaluate(
        self,
        stages: Stages,
        known: tuple[PyTree, ...],
        arguments: PyTree,
        outcome: Callable[[Array], PyTree],
    ) -> PyTree:
        """What is behind the layer, mapped over masks."""
        return jax.lax.map(
            lambda row: outcome(stages.late(*known, None, None, row)),
            arguments["masks"],
            batch_size=self.at_once if self.at_once > 1 else None,
        )


def _ablation(mask: Any, values: Any, axis: int) -> Callable[[Any], Any]:
    return lambda array: ablate(array, mask, values, axis=axis)
