"""How a network reads its arrays, from its traced program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax

from ...tracing._pointwise import is_pointwise
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
    walk = _Walk(dict(zip(program.leaves(0), arrays(network), strict=True)))
    for equation in program.equations:
        walk.follow(equation)
    return Reading(
        (*walk.read, *(name for name in arrays(network) if name not in walk.read)), walk.flattened
    )


class _Walk:
    """What is known of the values of a program.

    Attributes:
      names: for values that are arrays of the network as they are their names.
      channels: for flattened maps how many channels they had, the last axis of the maps.
      turned: maps whose last axis are no channels.
      read: the arrays that operations have read so far.
      flattened: see `Reading`.
    """

    def __init__(self, names: dict[Any, str]) -> None:
        self.names = names
        self.channels: dict[Any, int] = {}
        self.turned: set[Any] = set()
        self.read: dict[str, None] = {}
        self.flattened: dict[str, int] = {}

    def follow(self, equation: Any) -> None:
        """Take in one operation."""
        kind, output = equation.primitive.name, equation.outvars[0]
        inputs = [atom for atom in equation.invars if not isinstance(atom, jax.extend.core.Literal)]
        if kind in _COPIES and inputs[0] in self.names:
            self.names[output] = self.names[inputs[0]]
            return
        self.read.update(dict.fromkeys(self.names[each] for each in inputs if each in self.names))
        if kind == "dot_general":
            self._multiplied(equation)
        elif kind == "reshape":
            self._reshaped(inputs[0], output)
        elif kind == "transpose" and equation.params["permutation"][-1] != output.aval.ndim - 1:
            self.turned.add(output)
        elif is_pointwise(equation):
            self._mapped(inputs, output)

    def _multiplied(self, equation: Any) -> None:
        left, right = equation.invars
        contracted, _ = equation.params["dimension_numbers"]
        if left in self.channels and right in self.names and contracted == ((1,), (0,)):
            self.flattened[self.names[right]] = self.channels[left]

    def _reshaped(self, maps: Any, output: Any) -> None:
        images, *places, channels = (1, *maps.aval.shape) if maps.aval.ndim < 2 else maps.aval.shape
        flat = (images, maps.aval.size // images)
        if places and output.aval.shape == flat and maps not in self.turned:
            self.channels[output] = channels

    def _mapped(self, inputs: list[Any], output: Any) -> None:
        for each in inputs:
            if each.aval.shape != output.aval.shape:
                continue
            if each in self.channels:
                self.channels[output] = self.channels[each]
            if each in self.turned:
                self.turned.add(output)
