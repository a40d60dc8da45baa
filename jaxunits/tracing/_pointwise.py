"""Which operations are elementwise."""

from __future__ import annotations

from typing import Any

from ._program import body

# Operations that give number (i, j, …) from numbers (i, j, …) of their inputs.
AFFINE = {
    "add",
    "add_any",
    "convert_element_type",
    "copy",
    "copy_p",
    "div",
    "mul",
    "name",
    "neg",
    "optimization_barrier",
    "reduce_precision",
    "stop_gradient",
    "sub",
}
OTHERS = {
    "abs",
    "acos",
    "acosh",
    "and",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cbrt",
    "ceil",
    "clamp",
    "cos",
    "cosh",
    "eq",
    "erf",
    "erf_inv",
    "erfc",
    "exp",
    "exp2",
    "expm1",
    "floor",
    "ge",
    "gt",
    "integer_pow",
    "is_finite",
    "le",
    "log",
    "log1p",
    "logistic",
    "lt",
    "max",
    "min",
    "ne",
    "nextafter",
    "not",
    "or",
    "pow",
    "rem",
    "round",
    "rsqrt",
    "select_n",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "tan",
    "tanh",
    "xor",
}


def is_pointwise(equation: Any) -> bool:
    """Whether an operation is elementwise; along axes of one number that is repeated."""
    name = equation.primitive.name
    if name not in AFFINE | OTHERS:
        called = body(equation)
        return called is not None and _body_is_pointwise(called.jaxpr)
    shape = equation.outvars[0].aval.shape
    return all(_fits(atom.aval.shape, shape) for atom in equation.invars)


def is_affine(equation: Any) -> bool:
    """Whether a pointwise operation is affine in each of its inputs, the others held."""
    name = equation.primitive.name
    if name in AFFINE:
        return True
    called = body(equation)
    return called is not None and all(is_affine(each) for each in called.jaxpr.eqns)


def _fits(shape: tuple[int, ...], whole: tuple[int, ...]) -> bool:
    """Whether a shape is the whole one except for axes along which numbers are the same."""
    return shape == () or (
        len(shape) == len(whole)
        and all(size in (1, full) for size, full in zip(shape, whole, strict=True))
    )


def _body_is_pointwise(jaxpr: Any) -> bool:
    """Whether a call is elementwise: broadcasts of numbers alone may be in it."""
    return len(jaxpr.outvars) == 1 and all(
        is_pointwise(each)
        or (each.primitive.name == "broadcast_in_dim" and each.invars[0].aval.shape == ())
        for each in jaxpr.eqns
    )
