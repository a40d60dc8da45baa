"""What a program's operations have to do with one another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ._pointwise import is_pointwise
from ._program import Program, variables

_CONTRACTIONS = {"conv_general_dilated", "dot_general"}


class Graph:
    """What a program's operations have to do with one another.

    Attributes:
      program: the program.
      dependent: the variables that depend on the images.
      producers: the operation that gives each variable.
      readers: the operations that read it.
    """

    def __init__(self, program: Program, images: Iterable[Any]) -> None:
        self.program = program
        self.images = tuple(images)
        self.dependent = program.dependent(self.images)
        self.producers = program.producers()
        self.readers = program.readers()

    def sources(self, equation: Any) -> list[Any]:
        """What an operation reads that depends on the images, each once."""
        found = (each for each in variables(equation.invars) if each in self.dependent)
        return list(dict.fromkeys(found))

    def acts_on_numbers(self, equation: Any) -> bool:
        """Whether an operation acts number by number on a value alone, beside constants."""
        return self.is_pointwise(equation) and len(self.sources(equation)) == 1

    def is_pointwise(self, equation: Any) -> bool:
        """Whether an operation acts number by number on what depends on the images."""
        shape = equation.outvars[0].aval.shape
        return is_pointwise(equation) and all(
            each.aval.shape == shape for each in self.sources(equation)
        )

    def is_behind_contraction(self, variable: Any) -> bool:
        """Whether a convolution or matrix product depends on a value."""
        behind = self.program.dependent([variable])
        return any(
            each.primitive.name in _CONTRACTIONS
            and any(atom in behind for atom in variables(each.invars))
            for each in self.program.equations
        )


def kernel_of(graph: Graph, value: Any) -> tuple[Any, tuple[int, ...]] | None:
    """The weights that lead into the units of a value: the factor of its convolution or product.

    Returns:
      The variable of the weights and their axes of units; None where the units come of something
      else, such as a norm that mixes channels. Of a sum of branches the first counts.
    """
    equation = graph.producers.get(value)
    if equation is None or value not in graph.dependent:
        return None
    name = equation.primitive.name
    if name == "conv_general_dilated":
        return equation.invars[1], (equation.params["dimension_numbers"].rhs_spec[0],)
    if name == "dot_general":
        contracted, batch = equation.params["dimension_numbers"]
        side = 0 if equation.invars[0] not in graph.dependent else 1
        weights = equation.invars[side]
        if batch[0] or weights in graph.dependent:
            return None
        rank = len(weights.aval.shape)
        return weights, tuple(axis for axis in range(rank) if axis not in contracted[side])
    if not graph.is_pointwise(equation) and name not in ("reshape", "transpose", "squeeze"):
        return None
    for source in graph.sources(equation):
        found = kernel_of(graph, source)
        if found is not None:
            return found
    return None
