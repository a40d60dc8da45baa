"""A way to answer a question."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Array, Float32, Int32, PyTree

from ._fast import Split

Prepare = Callable[[PyTree, Array], PyTree]
Evaluate = Callable[[PyTree, PyTree, PyTree, Callable[[Array], PyTree]], PyTree]


@dataclass(frozen=True, eq=False)
class Path:
    """A way to answer a question.

    Attributes:
      name: `"fast"` or `"reference"`.
      reason: why this one.
      prepare: `(params, images) → state`, what all masks share.
      evaluate: `(params, state, arguments, outcome) → outcomes`, `[rows, ...]`.
      arguments: arrays that the masks consist of.
      position: the row of each mask.
      at_once: masks that are evaluated together.
      cut: where the network is cut; None on the reference path.
    """

    name: str
    reason: str
    prepare: Prepare
    evaluate: Evaluate
    arguments: PyTree
    position: Int32[np.ndarray, " masks"]
    at_once: int
    cut: Split | None = None

    def from_base(self, arguments: PyTree, kept: Float32[np.ndarray, " units"]) -> PyTree:
        """The arguments of single units, with other units ablated before them."""
        if self.cut is None:
            masks = {name: rows * kept.reshape(1, -1) for name, rows in arguments["masks"].items()}
            return {**arguments, "masks": masks}
        changes = arguments["changes"]
        bases = changes["bases"] & kept.astype(bool).reshape(1, -1)
        return {**arguments, "changes": {**changes, "bases": bases}}
