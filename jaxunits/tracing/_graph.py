"""How the operations of a program depend on one another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jax.extend.core import Literal

from ._axes import moved_axes
from ._pointwise import is_pointwise
from ._program import Program, variables

_CONTRACTIONS = {"conv_general_dilated", "dot_general"}


class Graph:
    """How the operations of a program depend on one another.

    Attributes:
      program: the program.
      dependent: the variables that depend on the images.
      learned: the variables that depend on parameters, the first argument.
      producers: the operation that gives each variable.
      readers: the operations that read it.
      order: the number of the operation that gives each variable.
    """

    def __init__(self, program: Program, images: Iterable[Any]) -> None:
        self.program = program
        self.images = tuple(images)
        self.dependent = program.dependent(self.images)
        self.learned = program.dependent(program.leaves(0))
        self.producers = program.producers()
        self.readers = program.readers()
        self.order = {
            variable: number
            for number, each in enumerate(program.equations)
            for variable in each.outvars
        }

    def depends(self, atom: Any) -> bool:
        """Whether a variable or literal depends on the images."""
        return not isinstance(atom, Literal) and atom in self.dependent

    def sources(self, equation: Any) -> list[Any]:
        """What an operation reads that depends on the images, each once."""
        found = (each for each in variables(equation.invars) if each in self.dependent)
        return list(dict.fromkeys(found))

    def acts_on_numbers(self, equation: Any) -> bool:
        """Whether an operation acts elementwise on a value alone, beside constants."""
        return self.is_pointwise(equation) and len(self.sources(equation)) == 1

    def is_pointwise(self, equation: Any) -> bool:
        """Whether an operation acts elementwise on what depends on the images."""
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


def unit_axes(graph: Graph, variable: Any) -> frozenset[int]:
    """The axes of a value that the convolution or matrix product before it gives units.

    Returns:
      Several where a product has several axes of its own (such as heads and their features), none
      where there is no convolution or product.
    """
    equation = graph.producers.get(variable)
    if equation is None:
        return frozenset()
    if equation.primitive.name == "conv_general_dilated":
        return frozenset({equation.params["dimension_numbers"].out_spec[1]})
    if equation.primitive.name == "dot_general":
        return _axes_of_product(graph, equation)
    for source in graph.sources(equation):
        found = unit_axes(graph, source)
        if found:
            return moved_axes(equation, source, found)
    return frozenset()


def mixes_positions(graph: Graph, equation: Any) -> bool:
    """Whether a product with constants sums over positions and leaves the units, as pools do."""
    sides = [number for number, each in enumerate(equation.invars) if graph.depends(each)]
    if equation.primitive.name != "dot_general" or len(sides) != 1:
        return False
    weights = equation.invars[1 - sides[0]]
    if not isinstance(weights, Literal) and weights in graph.learned:
        return False
    contracted, _ = equation.params["dimension_numbers"]
    units = unit_axes(graph, equation.invars[sides[0]])
    return bool(units) and not units & set(contracted[sides[0]])


def _axes_of_product(graph: Graph, equation: Any) -> frozenset[int]:
    """The axes that only the constant factor of a product has, or those of a pool's units."""
    contracted, batch = equation.params["dimension_numbers"]
    sides = [number for number, each in enumerate(equation.invars) if graph.depends(each)]
    if len(sides) != 1:
        return frozenset()
    free = [
        [axis for axis in range(len(atom.aval.shape)) if axis not in (*contracted[n], *batch[n])]
        for n, atom in enumerate(equation.invars)
    ]
    starts = (len(batch[0]), len(batch[0]) + len(free[0]))
    side = sides[0]
    if not mixes_positions(graph, equation):
        own = 1 - side
        return frozenset(range(starts[own], starts[own] + len(free[own])))
    units = unit_axes(graph, equation.invars[side])
    of_batch = {batch[side].index(axis) for axis in units & set(batch[side])}
    return frozenset(starts[side] + free[side].index(axis) for axis in units & set(free[side])) | (
        of_batch
    )


def kernel_of(graph: Graph, value: Any) -> tuple[Any, tuple[int, ...]] | None:
    """The weights that lead into the units of a value: the factor of its convolution or product.

    Returns:
      The variable of the weights and their axes of units; None if the units come from something
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
        side = 1 if graph.depends(equation.invars[0]) else 0
        weights = equation.invars[side]
        if batch[0] or graph.depends(weights):
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
