"""A way to evaluate the masks of a question."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float32, Int32, PyTree

from ._question import Inputs


@dataclass(frozen=True)
class Layout:
    """How masks lie in a path's arguments: what its functions depend on, beside their shapes.

    Attributes:
      name: `"fast"` or `"reference"`.
      at_once: masks that are evaluated together.
      running: whether masks are reached from one another.
      base: which base mask each chunk of masks starts from.
    """

    name: str
    at_once: int
    running: bool = False
    base: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Path:
    """The masks of a question as a path evaluates them.

    Attributes:
      layout: how they lie in the arguments.
      arguments: arrays that the masks consist of.
      position: the row of each mask.
    """

    layout: Layout
    arguments: PyTree
    position: Int32[np.ndarray, " masks"]

    @property
    def name(self) -> str:
        """`"fast"` or `"reference"`."""
        return self.layout.name

    def from_base(self, arguments: PyTree, kept: Float32[np.ndarray, " units"]) -> PyTree:
        """The arguments of single units, with other units ablated before them."""
        if self.name == "reference":
            return {**arguments, "masks": arguments["masks"] * kept.reshape(1, -1)}
        return {**arguments, "bases": arguments["bases"] & kept.astype(bool).reshape(1, -1)}


class Functions(NamedTuple):
    """What a path computes, for arguments and images of some shapes.

    Attributes:
      constants: `(params, arguments) → constants`, what all batches share.
      prepare: `(constants, params, inputs, arguments) → state`, what all masks share.
      evaluate: `(constants, params, state, arguments, outcome) → outcomes`, `[rows, ...]`.
    """

    constants: Callable[[PyTree, PyTree], PyTree]
    prepare: Callable[[PyTree, PyTree, Inputs, PyTree], PyTree]
    evaluate: Callable[[PyTree, PyTree, PyTree, PyTree, Callable[[Array], PyTree]], PyTree]
