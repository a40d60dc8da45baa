"""A way to evaluate the masks of a question."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Array, Float32, Int32, PyTree

Prepare = Callable[[PyTree, Array, PyTree], PyTree]
Evaluate = Callable[[PyTree, PyTree, PyTree, Callable[[Array], PyTree]], PyTree]


@dataclass(frozen=True, eq=False)
class Path:
    """A way to evaluate the masks of a question, for images of one shape.

    Attributes:
      name: `"fast"` or `"reference"`.
      prepare: `(params, images, arguments) → state`, what all masks share.
      evaluate: `(params, state, arguments, outcome) → outcomes`, `[rows, ...]`.
      arguments: arrays that the masks consist of.
      position: the row of each mask.
      at_once: masks that are evaluated together.
    """

    name: str
    prepare: Prepare
    evaluate: Evaluate
    arguments: PyTree
    position: Int32[np.ndarray, " masks"]
    at_once: int

    def from_base(self, arguments: PyTree, kept: Float32[np.ndarray, " units"]) -> PyTree:
        """The arguments of single units, with other units ablated before them."""
        if self.name == "reference":
            return {**arguments, "masks": arguments["masks"] * kept.reshape(1, -1)}
        return {**arguments, "bases": arguments["bases"] & kept.astype(bool).reshape(1, -1)}
