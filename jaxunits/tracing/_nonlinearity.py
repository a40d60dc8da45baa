"""From what a module gives to its units after their non-linearity, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ._graph import Graph
from ._pointwise import is_affine, is_pointwise
from ._program import Program, variables


def end_of_units(graph: Graph, value: Any, *, statistics: bool = False) -> Any:
    """The last value that everything behind a value reads, all computed from it elementwise."""
    inside = computed_from(graph, value, statistics)
    last = value
    outputs = set(variables(graph.program.outputs))
    for candidate in inside[1:]:
        before = _ancestors(graph, candidate, set(inside))
        # Statistics also go into running averages, which are not activations.
        passed = {each for each in before if each.aval.shape == value.aval.shape} - {candidate}
        whole = value in before and not passed & outputs
        if (
            whole
            and candidate.aval.shape == value.aval.shape
            and all(
                result in before
                for each in passed
                for reader in graph.readers.get(each, [])
                for result in reader.outvars
            )
        ):
            last = candidate
    return last


def computed_from(graph: Graph, value: Any, statistics: bool) -> list[Any]:
    """Values computed elementwise from one value and constants, in their order."""
    inside = [value]
    known = {value}
    for equation in graph.program.equations:
        sources = graph.sources(equation)
        if not sources or not known.issuperset(sources):
            continue
        same = equation.outvars[0].aval.shape == value.aval.shape and graph.is_pointwise(equation)
        if same or (statistics and _is_statistic(equation, value)):
            inside.append(equation.outvars[0])
            known.add(equation.outvars[0])
    return inside


def _is_statistic(equation: Any, value: Any) -> bool:
    """Whether an operation belongs to the statistics of a batch, channel by channel."""
    rank = len(value.aval.shape)
    name = equation.primitive.name
    if name == "reduce_sum" and equation.invars[0].aval.shape == value.aval.shape:
        return tuple(sorted(equation.params["axes"])) == tuple(range(rank - 1))
    channels = value.aval.shape[-1]
    sizes = {equation.outvars[0].aval.shape, *(atom.aval.shape for atom in equation.invars)}
    small = all(shape in (value.aval.shape, ()) or _is_vector(shape, channels) for shape in sizes)
    shapes = name in ("reshape", "broadcast_in_dim", "squeeze", "expand_dims")
    return small and (shapes or name in _POINTWISE_OF_VECTORS or is_pointwise(equation))


_POINTWISE_OF_VECTORS = {"concatenate", "slice"}


def _is_vector(shape: Sequence[int], channels: int) -> bool:
    return len(shape) > 0 and shape[-1] == channels and all(size == 1 for size in shape[:-1])


def _ancestors(graph: Graph, variable: Any, within: set[Any]) -> set[Any]:
    found, waiting = set(), [variable]
    while waiting:
        each = waiting.pop()
        if each in found or each not in within:
            continue
        found.add(each)
        producer = graph.producers.get(each)
        waiting.extend(graph.sources(producer) if producer is not None else ())
    return found


def is_after_nonlinearity(graph: Graph, value: Any) -> bool:
    """Whether the last thing that was done to a value elementwise was not affine."""
    while True:
        equation = graph.producers.get(value)
        if equation is None or value not in graph.dependent or not graph.is_pointwise(equation):
            return False
        if not is_affine(equation):
            return True
        # Of x · sigmoid(x), x: what lies between has to be looked at together.
        found = _source_alone(graph, value)
        if found is None:
            return False
        value, between = found
        if any(not is_affine(each) for each in between):
            return True


def _source_alone(graph: Graph, value: Any) -> tuple[Any, list[Any]] | None:
    """The last value from which alone another is computed elementwise, and the operations."""
    between: list[Any] = []
    waiting = {value}
    while not between or len(waiting) > 1:
        latest = max(waiting, key=lambda each: graph.order.get(each, -1))
        equation = graph.producers.get(latest)
        if equation is None or not graph.is_pointwise(equation):
            return None
        waiting.remove(latest)
        waiting.update(graph.sources(equation))
        between.append(equation)
    return waiting.pop(), between


def pointwise_region(graph: Graph, value: Any) -> tuple[list[Any], set[Any]]:
    """The pointwise operations before a value, and the values that they begin with."""
    region: list[Any] = []
    roots: set[Any] = set()
    seen: set[Any] = set()
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if each in seen:
            continue
        seen.add(each)
        equation = graph.producers.get(each)
        if equation is None or not graph.is_pointwise(equation):
            roots.add(each)
        else:
            region.append(equation)
            waiting.extend(graph.sources(equation))
    return region, roots


def before_nonlinearity(graph: Graph, value: Any) -> Any:
    """What goes into the non-linearity that gives a value; the value itself where there is none."""
    if not is_after_nonlinearity(graph, value):
        return value
    region, roots = pointwise_region(graph, value)
    inside = {each.outvars[0] for each in region} | roots
    candidates = [each for each in _in_order(graph.program, inside) if each is not value]
    for candidate in reversed(candidates):
        whole = value in computed_from(graph, candidate, statistics=False)
        if whole and not is_after_nonlinearity(graph, candidate):
            return candidate
    return None


def _in_order(program: Program, wanted: set[Any]) -> list[Any]:
    order = [*program.inputs, *(each for eq in program.equations for each in eq.outvars)]
    return [variable for variable in order if variable in wanted]
