"""How a network reads its arrays, from its traced program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...tracing._axes import moved_axes
from ...tracing._pointwise import is_pointwise
from ...tracing._program import variables
from .._arrays import arrays
from .._classifier import Classifier

# What leaves an array's numbers and their order.
_COPIES = {"convert_element_type", "copy", "name", "optimization_barrier", "stop_gradient"}


@dataclass(frozen=True)
class Reading:
    """How a network reads its arrays.

    Attributes:
      order: the names of its arrays in the order in which they are read first; what is not read
        comes last.
      flattened: for kernels of dense layers that read flattened maps the maps' channels.
    """

    order: tuple[str, ...]
    flattened: dict[str, int]


def reading(network: Classifier) -> Reading:
    """How a network reads its arrays; nothing is computed."""
    program = network.function.traced(network.params, network.example).program
    (images,) = program.leaves(1)
    walk = _Walk(dict(zip(program.leaves(0), arrays(network), strict=True)), images)
    for equation in program.equations:
        walk.follow(equation)
    unread = (name for name in arrays(network) if name not in walk.read)
    return Reading((*walk.read, *unread), walk.flattened)


class _Walk:
    """What is known of the values of a program.

    Attributes:
      names: for values that are arrays of the network as they are their names.
      axes: for maps the axis of their channels.
      channels: for flattened maps how many channels they had, the last axis of the maps.
      read: the arrays that operations have read so far.
      flattened: see `Reading`.
    """

    def __init__(self, names: dict[Any, str], images: Any) -> None:
        self.names = names
        self.axes: dict[Any, int] = {images: images.aval.ndim - 1}
        self.channels: dict[Any, int] = {}
        self.read: dict[str, None] = {}
        self.flattened: dict[str, int] = {}

    def follow(self, equation: Any) -> None:
        """Take in one operation."""
        kind, output = equation.primitive.name, equation.outvars[0]
        inputs = list(variables(equation.invars))
        if kind in _COPIES and inputs[0] in self.names:
            self.names[output] = self.names[inputs[0]]
            return
        self.read.update(dict.fromkeys(self.names[each] for each in inputs if each in self.names))
        if kind == "conv_general_dilated":
            self.axes[output] = equation.params["dimension_numbers"].out_spec[1]
        elif kind == "dot_general":
            self._multiplied(equation)
        for each in inputs:
            if each in self.axes:
                self._moved(equation, each, output)
            elif each in self.channels and is_pointwise(equation):
                self.channels[output] = self.channels[each]

    def _multiplied(self, equation: Any) -> None:
        left, right = equation.invars
        contracted, batch = equation.params["dimension_numbers"]
        if left in self.channels and right in self.names and contracted == ((1,), (0,)):
            self.flattened[self.names[right]] = self.channels[left]
        free = [
            (side, axis)
            for side, factor in enumerate((left, right))
            for axis in range(factor.aval.ndim)
            if axis not in (*contracted[side], *batch[side])
        ]
        for side, factor in enumerate((left, right)):
            place = (side, self.axes.get(factor))
            if place in free:
                self.axes[equation.outvars[0]] = len(batch[0]) + free.index(place)

    def _moved(self, equation: Any, maps: Any, output: Any) -> None:
        shape, axis = maps.aval.shape, self.axes[maps]
        flat = (shape[0], maps.aval.size // max(1, shape[0]))
        if equation.primitive.name == "reshape" and output.aval.shape == flat:
            if axis == len(shape) - 1 > 1:
                self.channels[output] = shape[axis]
            return
        for moved in moved_axes(equation, maps, frozenset({axis})):
            self.axes[output] = moved
