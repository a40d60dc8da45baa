"""Where the receptive fields of a layer's positions lie on the image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from .._errors import InputError
from .._kinds import checks_kinds
from ..tracing import Graph
from ._classifier import Classifier

# Of values with maps: the axes of height and width, with the centers of their positions.
_Fields = dict[int, "Centers"]


class Centers(NamedTuple):
    """Centers of windows along an axis: that of output i lies at scale · i + offset.

    Attributes:
      scale: pixels between the centers of two neighbors.
      offset: pixels from the center of the first pixel to that of the first window.
    """

    scale: float
    offset: float


@checks_kinds
def receptive_fields(network: Classifier, layer: str) -> tuple[Centers, Centers]:
    """The centers of a layer's receptive fields, down and across, in pixels of the network's image.

    Fields as convolutions and pools would have them on an image without borders, read from the
    network's trace. Where branches meet, positions are those of the first, as a residual block's
    are those of its convolutions.

    Args:
      network: the network.
      layer: one of its layers, with maps.

    Returns:
      Centers of the rows of the layer's maps, and of their columns.

    Raises:
      InputError: there is no such layer, it has no maps, or something other than a convolution,
        pool or similar lies between the image and the layer.
    """
    place = network.layer(layer)
    way_out = "give the centers themselves, (scale, offset) in pixels, or align by corners"
    if not place.has_maps:
        raise InputError(f"layer {layer!r} of network {network.name!r} has no maps: {way_out}")
    traced = network.function.traced(network.params, network.example)
    fields = _fields(traced.graph, traced.value(place.name), {})
    axes = [axis for axis in (1, 2, 3) if axis != traced.axes[place.name]]
    if fields is None or any(axis not in fields for axis in axes):
        raise InputError(
            f"receptive fields of layer {layer!r} of network {network.name!r} are not available: "
            f"{way_out}"
        )
    return fields[axes[0]], fields[axes[1]]


def _fields(graph: Graph, variable: Any, known: dict[Any, _Fields | None]) -> _Fields | None:
    """The centers of a value's positions, by axis; None if they are not available."""
    if variable in graph.images:
        return {1: Centers(1.0, 0.0), 2: Centers(1.0, 0.0)}
    if variable not in known:
        equation = graph.producers[variable]
        known[variable] = None
        for source in graph.sources(equation):
            before = _fields(graph, source, known)
            found = None if before is None else _behind(graph, equation, source, before)
            if found is not None:
                known[variable] = found
                break
    return known[variable]


def _behind(graph: Graph, equation: Any, source: Any, fields: _Fields) -> _Fields | None:
    name, parameters = equation.primitive.name, equation.params
    shape = tuple(equation.outvars[0].aval.shape)
    if name == "conv_general_dilated":
        return _convolved(parameters, fields, equation.invars[1].aval.shape)
    if name.startswith("reduce_window"):
        return {
            axis: _through(
                centers,
                parameters["window_dimensions"][axis],
                parameters["window_strides"][axis],
                parameters["window_dilation"][axis],
                parameters["padding"][axis][0],
            )
            for axis, centers in fields.items()
        }
    if name == "transpose":
        return {parameters["permutation"].index(axis): each for axis, each in fields.items()}
    if name == "pad":
        edges = parameters["padding_config"]
        if any(edges[axis][2] for axis in fields):
            return None
        return {
            axis: _through(centers, 1, 1, 1, edges[axis][0]) for axis, centers in fields.items()
        }
    if name == "slice":
        starts, steps = parameters["start_indices"], parameters["strides"] or (1,) * len(shape)
        return {
            axis: _through(centers, 1, steps[axis], 1, -starts[axis])
            for axis, centers in fields.items()
        }
    if name == "dot_general":
        return _multiplied(equation, source, fields)
    unmoved = graph.is_pointwise(equation) and shape == tuple(source.aval.shape)
    unmoved |= name == "concatenate" and parameters["dimension"] not in fields
    return fields if unmoved else None


def _multiplied(equation: Any, source: Any, fields: _Fields) -> _Fields | None:
    """Behind a product over channels, a convolution of single pixels."""
    contracted, batch = equation.params["dimension_numbers"]
    side = 0 if equation.invars[0] is source else 1
    if batch[0] or fields.keys() & set(contracted[side]):
        return None
    kept = [axis for axis in range(len(source.aval.shape)) if axis not in contracted[side]]
    first = len(equation.outvars[0].aval.shape) - len(kept) if side else 0
    return {first + kept.index(axis): each for axis, each in fields.items()}


def _convolved(parameters: Any, fields: _Fields, kernel: Sequence[int]) -> _Fields | None:
    numbers = parameters["dimension_numbers"]
    found: _Fields = {}
    for number, (source, target) in enumerate(
        zip(numbers.lhs_spec[2:], numbers.out_spec[2:], strict=True)
    ):
        if source not in fields or parameters["lhs_dilation"][number] != 1:
            return None
        found[target] = _through(
            fields[source],
            kernel[numbers.rhs_spec[2 + number]],
            parameters["window_strides"][number],
            parameters["rhs_dilation"][number],
            parameters["padding"][number][0],
        )
    return found


def _through(centers: Centers, side: int, step: int, gap: int, before: int) -> Centers:
    """Centers behind windows of some pixels, `before` of which lie outside."""
    offset = (side - 1) * gap / 2 - before
    return Centers(centers.scale * step, centers.offset + centers.scale * offset)
