"""The same program with the channels of maps on the last axis.

XLA's convolutions and pools are several times as fast on CPUs if channels lie side by side, in
maps and in kernels. Networks that have them on the second axis, as PyTorch's do, are rewritten:
maps stay with channels last from the first convolution to whatever reads them in another way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
from jax import lax
from jax.extend.core import Literal
from jaxtyping import Array, PyTree, Shaped

from ._pointwise import is_pointwise
from ._program import Program, bind, body, read, trace


@dataclass(frozen=True, eq=False)
class Moved:
    """A value `[images, channels, *space]` of the program as it is.

    Attributes:
      value: `[images, *space, channels]`.
    """

    value: Shaped[Array, "images ... channels"]


Rule = Callable[[Any, Sequence[Any]], "Moved | Array | None"]


def channels_last(program: Program) -> Program:
    """An equivalent program, with the channels of maps on the last axis inside.

    A program without convolutions of channels on the second axis is returned as it is.
    """
    if not any(_has_channels_second(each) for each in program.equations):
        return program
    leaves = [jax.ShapeDtypeStruct(each.aval.shape, each.aval.dtype) for each in program.inputs]
    producers = program.producers()

    def run(*arguments: PyTree) -> PyTree:
        values = program.bound(arguments)
        for equation in program.equations:
            inputs = [_input(values, atom, producers) for atom in equation.invars]
            values.update(zip(equation.outvars, _apply(equation, inputs), strict=True))
        outputs = [_plain(read(values, atom)) for atom in program.outputs]
        return jax.tree.unflatten(program.results, outputs)

    return trace(run, *jax.tree.unflatten(program.arguments, leaves), derivatives=True)


@dataclass(frozen=True, eq=False)
class _Repeated:
    """A value that repeats another along new axes: it can be repeated in another order."""

    value: Any
    operand: Any
    equation: Any


def _input(values: Mapping[Any, Any], atom: Any, producers: Mapping[Any, Any]) -> Any:
    value = read(values, atom)
    equation = None if isinstance(atom, Literal) else producers.get(atom)
    if equation is None or equation.primitive.name != "broadcast_in_dim":
        return value
    operand = read(values, equation.invars[0])
    return value if isinstance(operand, Moved) else _Repeated(value, operand, equation)


def _apply(equation: Any, inputs: Sequence[Any]) -> Sequence[Any]:
    name = equation.primitive.name
    known = any(isinstance(each, Moved) for each in inputs) or name in _STARTS
    if known and len(equation.outvars) == 1:
        rule = _pointwise if is_pointwise(equation) and body(equation) is None else _RULES.get(name)
        result = None if rule is None else rule(equation, inputs)
        if result is not None:
            return [result]
    return bind(equation, [_plain(each) for each in inputs])


def _plain(value: Any) -> Any:
    """A value as the program has it."""
    if isinstance(value, _Repeated):
        return value.value
    if not isinstance(value, Moved):
        return value
    rank = value.value.ndim
    return lax.transpose(value.value, (0, rank - 1, *range(1, rank - 1)))


def _last(value: Any) -> Any:
    """A value with channels last; numbers without axes as they are."""
    if isinstance(value, Moved):
        return value.value
    array = _plain(value)
    rank = jax.numpy.ndim(array)
    if rank == 0:
        return array
    if not isinstance(value, _Repeated):
        return lax.transpose(array, _order(rank))
    # Broadcast anew rather than transpose what is as large as the maps.
    parameters = value.equation.params
    places = [_order(rank).index(axis) for axis in parameters["broadcast_dimensions"]]
    order = sorted(range(len(places)), key=places.__getitem__)
    return lax.broadcast_in_dim(
        lax.transpose(value.operand, order),
        _permuted(parameters["shape"]),
        [places[number] for number in order],
    )


def _order(rank: int) -> tuple[int, ...]:
    """From channels second to channels last."""
    return (0, *range(2, rank), 1)


def _permuted(numbers: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(numbers[axis] for axis in _order(len(numbers)))


def _has_channels_second(equation: Any) -> bool:
    if equation.primitive.name != "conv_general_dilated":
        return False
    numbers = equation.params["dimension_numbers"]
    second = tuple(range(len(numbers.lhs_spec)))
    return len(second) > 2 and tuple(numbers.lhs_spec) == tuple(numbers.out_spec) == second


def _convolution(equation: Any, inputs: Sequence[Any]) -> Moved | None:
    if not _has_channels_second(equation) or isinstance(inputs[1], Moved):
        return None
    numbers = equation.params["dimension_numbers"]
    rank = len(numbers.lhs_spec)
    spec = (0, rank - 1, *range(1, rank - 1))
    outputs, of_group, *space = numbers.rhs_spec
    kernel = lax.transpose(_plain(inputs[1]), (*space, of_group, outputs))
    changed = lax.ConvDimensionNumbers(spec, (rank - 1, rank - 2, *range(rank - 2)), spec)
    return _changed(equation, [inputs[0], kernel], {"dimension_numbers": changed})


def _transpose(equation: Any, inputs: Sequence[Any]) -> Any:
    permutation = tuple(equation.params["permutation"])
    (value,) = inputs
    rank = len(permutation)
    if isinstance(value, Moved):
        places = [_order(rank).index(axis) for axis in permutation]
        return value.value if places == list(range(rank)) else lax.transpose(value.value, places)
    moves = rank > 2 and permutation == (0, rank - 1, *range(1, rank - 1))
    return Moved(_plain(value)) if moves else None


def _pointwise(equation: Any, inputs: Sequence[Any]) -> Moved:
    return Moved(bind(equation, [_last(each) for each in inputs])[0])


def _changed(equation: Any, inputs: Sequence[Any], parameters: Mapping[str, Any]) -> Moved:
    """An operation on maps that are its first input."""
    changed = equation.replace(params={**equation.params, **parameters})
    return Moved(bind(changed, [_last(inputs[0]), *map(_plain, inputs[1:])])[0])


def _axis_by_axis(*names: str) -> Rule:
    """An operation with parameters of one entry per axis."""

    def rule(equation: Any, inputs: Sequence[Any]) -> Moved | None:
        if not isinstance(inputs[0], Moved):
            return None
        given = {name: equation.params[name] for name in names}
        permuted = {name: each and _permuted(each) for name, each in given.items()}
        return _changed(equation, inputs, permuted)

    return rule


def _concatenation(equation: Any, inputs: Sequence[Any]) -> Moved:
    arrays = [_last(each) for each in inputs]
    place = _order(arrays[0].ndim).index(equation.params["dimension"])
    return Moved(lax.concatenate(arrays, place))


def _reduction(equation: Any, inputs: Sequence[Any]) -> Any:
    rank = inputs[0].value.ndim
    if tuple(equation.params["axes"]) != tuple(range(2, rank)):
        return None
    places = tuple(range(1, rank - 1))
    return bind(equation.replace(params={**equation.params, "axes": places}), [inputs[0].value])[0]


_STARTS = ("conv_general_dilated", "transpose")
_WINDOWS = _axis_by_axis(
    "window_dimensions", "window_strides", "base_dilation", "window_dilation", "padding"
)
_RULES: Mapping[str, Rule] = {
    "concatenate": _concatenation,
    "conv_general_dilated": _convolution,
    "pad": _axis_by_axis("padding_config"),
    "reduce_max": _reduction,
    "reduce_min": _reduction,
    "reduce_sum": _reduction,
    "reduce_window": _WINDOWS,
    "reduce_window_max": _WINDOWS,
    "reduce_window_min": _WINDOWS,
    "reduce_window_sum": _WINDOWS,
    "slice": _axis_by_axis("start_indices", "limit_indices", "strides"),
    "transpose": _transpose,
}
