"""Where a traced network has units: the values at the end of elementwise operations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp

from ._axes import moved_axes
from ._graph import Graph, kernel_of, mixes_positions, unit_axes
from ._marks import Mark, mark_of
from ._nonlinearity import end_of_units
from ._pointwise import is_affine
from ._program import variables

# Behind a layer they give nothing that has units of its own.
_CHANNELWISE = {
    "broadcast_in_dim",
    "expand_dims",
    "pad",
    "reduce_max",
    "reduce_min",
    "reduce_sum",
    "reduce_window",
    "reduce_window_max",
    "reduce_window_sum",
    "reshape",
    "slice",
    "squeeze",
    "transpose",
}


@dataclass(eq=False)
class Site:
    """A layer of a traced network.

    Attributes:
      name: the first of the names that it has, in the order of the calls.
      aliases: the others.
      values: the variables of its units, one for each call of the module.
      axes: the axis of units; several if it is ambiguous.
      by_user: whether the user named the value, or masks it.
      readable: whether the values are the units' activations; not where all that is known is the
        mask that a function applies.
    """

    name: str
    values: list[Any]
    axes: frozenset[int]
    by_user: bool
    readable: bool = True
    aliases: list[str] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of its activations."""
        return tuple(self.values[0].aval.shape)


def find_sites(graph: Graph, *, hook: str = "unit", statistics: bool = False) -> list[Site]:
    """The layers of a program, in the order of their calls.

    Args:
      graph: the program.
      hook: `"unit"` for units after their non-linearity, `"output"` for the outputs of modules.
      statistics: follow a batch norm that takes its statistics from the images.
    """
    found: dict[str, Site] = {}
    by_value: dict[Any, Site] = {}
    for mark, value in _marked(graph):
        by_user = mark.kind != "module"
        if mark.kind == "mask":
            site = _of_mask(graph, mark.name, value)
            found[mark.name] = by_value[site.values[0]] = site
            continue
        end = value
        if hook == "unit" and not by_user:
            end = end_of_units(graph, value, statistics=statistics)
        if not by_user and not _has_units(graph, end):
            continue
        if mark.name in found and end not in found[mark.name].values:
            _add_call(graph, found[mark.name], end, by_value)
        elif end in by_value:
            _add_name(by_value[end], mark, found)
        elif by_user or not _only_carries(graph, end, by_value):
            axes = unit_axes(graph, end)
            site = Site(mark.name, [end], axes, by_user)
            found[mark.name] = by_value[end] = site
    return list(dict.fromkeys(found.values()))


def _marked(graph: Graph) -> list[tuple[Mark, Any]]:
    marks = ((mark_of(each), each.outvars[0]) for each in graph.program.equations)
    return [
        (mark, value)
        for mark, value in marks
        if mark is not None and (mark.kind == "mask" or value in graph.dependent)
    ]


def _of_mask(graph: Graph, name: str, value: Any) -> Site:
    """The layer that a mask is multiplied with, or otherwise the mask itself."""
    mask, axis = value, 0
    while True:
        readers = graph.readers.get(mask, [])
        if len(readers) != 1:
            break
        result = readers[0].outvars[0]
        if readers[0].primitive.name == "mul" and result in graph.dependent:
            if result.aval.shape[axis] != value.aval.shape[0]:
                break
            return Site(name, [result], frozenset({axis}), True)
        moved = moved_axes(readers[0], mask, frozenset({axis}))
        if result in graph.dependent or len(moved) != 1:
            break
        mask, axis = result, min(moved)
    return Site(name, [value], frozenset({0}), True, readable=False)


def _add_call(graph: Graph, site: Site, value: Any, by_value: dict[Any, Site]) -> None:
    """Another call of a module: its units are those of the first, where the same weights lead in.

    A module without weights that is called again, such as a ReLU, has no units of its own.
    """
    if value not in by_value and _weights(graph, value) == _weights(graph, site.values[0]) != set():
        site.values.append(value)
        by_value[value] = site


def _weights(graph: Graph, value: Any) -> set[Any]:
    """The inputs of the program that the weights before a value are made of."""
    found = kernel_of(graph, value)
    inputs = set(graph.program.inputs)
    waiting, weights = [found[0]] if found else [], set()
    while waiting:
        each = waiting.pop()
        if each in inputs:
            weights.add(each)
        elif each in graph.producers:
            waiting.extend(variables(graph.producers[each].invars))
    return weights


def _add_name(site: Site, mark: Mark, found: dict[str, Site]) -> None:
    if mark.name in found:
        return
    if mark.kind != "module" and not site.by_user:
        site.aliases.append(site.name)
        site.name, site.by_user = mark.name, True
    else:
        site.aliases.append(mark.name)
    found[mark.name] = site


def _has_units(graph: Graph, value: Any) -> bool:
    """Whether a value can be a layer: numbers of every image, and not the network's output."""
    shape = value.aval.shape
    counted = {each.aval.shape[0] for each in graph.images}
    if len(shape) not in (2, 3, 4) or shape[0] not in counted:
        return False
    if not jnp.issubdtype(value.aval.dtype, jnp.floating):
        return False
    outputs = list(variables(graph.program.outputs))
    if value in outputs:
        return False
    like_output = any(shape == each.aval.shape for each in outputs)
    return not like_output or graph.is_behind_contraction(value)


def _only_carries(graph: Graph, value: Any, by_value: Mapping[Any, Site]) -> bool:
    """Whether a value is a layer's, pooled, moved or scaled: it has no units of its own."""
    while value not in by_value:
        equation = graph.producers.get(value)
        if equation is None:
            # The images, prepared.
            return True
        sources = graph.sources(equation)
        if len(sources) != 1:
            return False
        if graph.is_pointwise(equation):
            if not is_affine(equation):
                return False
        elif not mixes_positions(graph, equation) and (
            equation.primitive.name not in _CHANNELWISE or _is_contracted(equation, value)
        ):
            return False
        value = sources[0]
    return True


def _is_contracted(equation: Any, value: Any) -> bool:
    """Whether a reduction leaves fewer units than there were (those of a norm)."""
    return equation.primitive.name.startswith("reduce_") and 1 in value.aval.shape[-1:]
