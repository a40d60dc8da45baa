"""Elementwise operations."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Shaped

from ._unsupported import UnsupportedError

Operand = Shaped[Array, "..."] | bool | int | float


def aligned(*operands: Operand) -> list[Operand]:
    """Operands with axes of size 1 in front, so that arrays have equally many axes."""
    most = max((operand.ndim for operand in operands if isinstance(operand, jax.Array)), default=0)
    return [
        lax.expand_dims(operand, range(most - operand.ndim))
        if isinstance(operand, jax.Array) and 0 < operand.ndim < most
        else operand
        for operand in operands
    ]


def _broadcasting(function: Callable[..., Array]) -> Callable[..., Array]:
    """The function on operands whose ranks differ."""

    def rule(*operands: Operand) -> Array:
        return function(*aligned(*operands))

    return rule


def add(x: Operand, y: Operand, *, alpha: Operand = 1) -> Array:
    """X + alpha · y."""
    return _broadcasting(jnp.add)(x, y if _is_one(alpha) else jnp.multiply(alpha, y))


def subtract(x: Operand, y: Operand, alpha: Operand = 1) -> Array:
    """X − alpha · y."""
    return _broadcasting(jnp.subtract)(x, y if _is_one(alpha) else jnp.multiply(alpha, y))


def subtract_from(x: Operand, y: Operand, alpha: Operand = 1) -> Array:
    """Y − alpha · x."""
    return subtract(y, x, alpha)


def _is_one(alpha: Operand) -> bool:
    return isinstance(alpha, int | float) and alpha == 1


def divide(x: Operand, y: Operand, *, rounding_mode: str | None = None) -> Array:
    """X / y, rounded toward zero or down if asked for."""
    if rounding_mode == "floor":
        return _broadcasting(jnp.floor_divide)(x, y)
    quotient = _broadcasting(jnp.true_divide)(x, y)
    if rounding_mode is None:
        return quotient
    return jnp.trunc(quotient).astype(jnp.result_type(x, y))


def clamp(x: Array, low: Operand | None = None, high: Operand | None = None) -> Array:
    """Numbers below `low` become `low`, numbers above `high` become `high`."""
    if low is not None:
        x = _broadcasting(jnp.maximum)(x, low)
    return x if high is None else _broadcasting(jnp.minimum)(x, high)


def hardtanh(x: Array, low: Operand = -1.0, high: Operand = 1.0) -> Array:
    """Clamped to a range; ReLU6 is this from 0 to 6."""
    return clamp(x, low, high)


def gelu(x: Array, *, approximate: str = "none") -> Array:
    """GELU, exact or by tanh."""
    return jax.nn.gelu(x, approximate=approximate == "tanh")


def elu(x: Array, alpha: Operand = 1.0, scale: Operand = 1.0, input_scale: Operand = 1.0) -> Array:
    """ELU, of which SELU and CELU are special cases."""
    below = alpha * jnp.expm1(jnp.minimum(x, 0) * input_scale)
    return scale * jnp.where(x > 0, x, below)


def leaky_relu(x: Array, slope: Operand = 0.01) -> Array:
    """Numbers below 0 times the slope."""
    return jnp.where(x > 0, x, x * slope)


def prelu(x: Array, slope: Array) -> Array:
    """Numbers below 0 times their channel's slope."""
    if slope.ndim == 1 and x.ndim > 1:
        slope = slope.reshape(1, -1, *(1 for _ in x.shape[2:]))
    return jnp.where(x > 0, x, x * aligned(x, slope)[1])


def softplus(x: Array, beta: Operand = 1.0, threshold: Operand = 20.0) -> Array:
    """log(1 + exp(beta · x)) / beta, and x itself where beta · x is above the threshold."""
    return jnp.where(x * beta > threshold, x, jax.nn.softplus(x * beta) / beta)


def mish(x: Array) -> Array:
    """X times tanh of its softplus."""
    return x * jnp.tanh(jax.nn.softplus(x))


def threshold(x: Array, limit: Operand, value: Operand) -> Array:
    """`value` where x is not above the limit."""
    return jnp.where(x > limit, x, value)


def power(x: Operand, exponent: Operand) -> Array:
    """X to the power of the exponent."""
    if isinstance(exponent, float) and exponent.is_integer():
        exponent = int(exponent)
    if isinstance(exponent, int) and isinstance(x, jax.Array):
        return lax.integer_pow(x, exponent)
    return _broadcasting(jnp.power)(x, exponent)


def converted(x: Array, *, dtype: Any = None) -> Array:
    """Numbers of another type."""
    return x if dtype is None else x.astype(dtype)


def copied(x: Array, source: Array, _: bool = False) -> Array:
    """Another array's numbers, in the shape and type of the first."""
    return jnp.broadcast_to(aligned(source, x)[0], x.shape).astype(x.dtype)


def same(x: Array, **_: Any) -> Array:
    """The array itself: arrays of JAX never change."""
    return x


def where(condition: Array, x: Operand, y: Operand) -> Array:
    """X where the condition holds, y elsewhere."""
    return _broadcasting(jnp.where)(condition, x, y)


def dropout(x: Array, _: float, train: bool = False) -> Array:
    """Nothing, in evaluation."""
    if train:
        raise UnsupportedError("dropout in training")
    return x


_BINARY: dict[str, Callable[..., Array]] = {
    "mul": jnp.multiply,
    "floor_divide": jnp.floor_divide,
    "remainder": jnp.remainder,
    "fmod": jnp.fmod,
    "maximum": jnp.maximum,
    "minimum": jnp.minimum,
    "atan2": jnp.arctan2,
    "eq": jnp.equal,
    "ne": jnp.not_equal,
    "lt": jnp.less,
    "le": jnp.less_equal,
    "gt": jnp.greater,
    "ge": jnp.greater_equal,
    "logical_and": jnp.logical_and,
    "logical_or": jnp.logical_or,
    "logical_xor": jnp.logical_xor,
    "bitwise_and": operator.and_,
    "bitwise_or": operator.or_,
    "bitwise_xor": operator.xor,
}

RULES: dict[str, Callable[..., Any]] = {
    **{name: _broadcasting(function) for name, function in _BINARY.items()},
    **dict.fromkeys(["alias", "clone", "detach", "lift_fresh_copy", "contiguous"], same),
    "add": add,
    "sub": subtract,
    "rsub": subtract_from,
    "div": divide,
    "clamp": clamp,
    "clamp_min": clamp,
    "clamp_max": lambda x, high: clamp(x, None, high),
    "hardtanh": hardtanh,
    "relu": jax.nn.relu,
    "gelu": gelu,
    "elu": elu,
    "leaky_relu": leaky_relu,
    "prelu": prelu,
    "_prelu_kernel": prelu,
    "softplus": softplus,
    "mish": mish,
    "threshold": threshold,
    "silu": jax.nn.silu,
    "hardswish": jax.nn.hard_swish,
    "hardsigmoid": jax.nn.hard_sigmoid,
    "sigmoid": jax.nn.sigmoid,
    "pow": power,
    "_to_copy": converted,
    "copy": copied,
    "where": where,
    "dropout": dropout,
    "neg": jnp.negative,
    "abs": jnp.abs,
    "sign": jnp.sign,
    "exp": jnp.exp,
    "exp2": jnp.exp2,
    "expm1": jnp.expm1,
    "log": jnp.log,
    "log2": jnp.log2,
    "log10": jnp.log10,
    "log1p": jnp.log1p,
    "sqrt": jnp.sqrt,
    "rsqrt": lax.rsqrt,
    "square": jnp.square,
    "reciprocal": jnp.reciprocal,
    "erf": lax.erf,
    "sin": jnp.sin,
    "cos": jnp.cos,
    "tan": jnp.tan,
    "atan": jnp.arctan,
    "sinh": jnp.sinh,
    "cosh": jnp.cosh,
    "tanh": jnp.tanh,
    "floor": jnp.floor,
    "ceil": jnp.ceil,
    "round": jnp.round,
    "trunc": jnp.trunc,
    "isnan": jnp.isnan,
    "isinf": jnp.isinf,
    "isfinite": jnp.isfinite,
    "logical_not": jnp.logical_not,
    "bitwise_not": jnp.bitwise_not,
}
