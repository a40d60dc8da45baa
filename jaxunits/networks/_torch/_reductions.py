"""Operations that reduce along axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

Dims = int | Sequence[int] | None


def _axes(x: Array, dim: Dims) -> tuple[int, ...]:
    """The axes to reduce: all of them where none are named."""
    if dim is None or (not isinstance(dim, int) and not dim):
        return tuple(range(x.ndim))
    return (dim,) if isinstance(dim, int) else tuple(dim)


def _reducing(function: Callable[..., Array]) -> Callable[..., Array]:
    def rule(x: Array, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Array:
        x = x if dtype is None else x.astype(dtype)
        return function(x, axis=_axes(x, dim), keepdims=keepdim)

    return rule


def variance(
    x: Array, dim: Dims = None, *, correction: int | float | None = None, keepdim: bool = False
) -> Array:
    """The mean squared distance from the mean, `correction` left off the count."""
    ddof: Any = 1 if correction is None else correction
    return jnp.var(x, axis=_axes(x, dim), ddof=ddof, keepdims=keepdim)


def variance_and_mean(
    x: Array, dim: Dims = None, *, correction: int | float | None = None, keepdim: bool = False
) -> tuple[Array, Array]:
    """`variance`, and the mean."""
    mean = jnp.mean(x, axis=_axes(x, dim), keepdims=keepdim)
    return variance(x, dim, correction=correction, keepdim=keepdim), mean


def largest(x: Array, dim: int, keepdim: bool = False) -> tuple[Array, Array]:
    """The largest number along an axis, and where it is."""
    return jnp.max(x, dim, keepdims=keepdim), jnp.argmax(x, dim, keepdims=keepdim)


def smallest(x: Array, dim: int, keepdim: bool = False) -> tuple[Array, Array]:
    """The smallest number along an axis, and where it is."""
    return jnp.min(x, dim, keepdims=keepdim), jnp.argmin(x, dim, keepdims=keepdim)


def softmax(x: Array, dim: int, half_to_float: bool = False) -> Array:
    """Exponentials divided by their sum."""
    return jax.nn.softmax(x.astype(jnp.float32) if half_to_float else x, dim)


def log_softmax(x: Array, dim: int, half_to_float: bool = False) -> Array:
    """The logarithm of `softmax`."""
    return jax.nn.log_softmax(x.astype(jnp.float32) if half_to_float else x, dim)


def cumulative_sum(x: Array, dim: int, *, dtype: Any = None) -> Array:
    """The sum up to each place of an axis."""
    return jnp.cumsum(x, dim, dtype=dtype)


def norm(
    x: Array, order: int | float = 2, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None
) -> Array:
    """The norm of order p over axes."""
    x = jnp.abs(x if dtype is None else x.astype(dtype))
    if order == float("inf"):
        return jnp.max(x, axis=_axes(x, dim), keepdims=keepdim)
    total = jnp.sum(x**order, axis=_axes(x, dim), keepdims=keepdim)
    return jnp.sqrt(total) if order == 2 else total ** (1 / order)


RULES: dict[str, Callable[..., Any]] = {
    "mean": _reducing(jnp.mean),
    "sum": _reducing(jnp.sum),
    "prod": _reducing(jnp.prod),
    "amax": _reducing(jnp.max),
    "amin": _reducing(jnp.min),
    "any": _reducing(jnp.any),
    "all": _reducing(jnp.all),
    "max.default": jnp.max,
    "max.dim": largest,
    "max.other": jnp.maximum,
    "min.default": jnp.min,
    "min.dim": smallest,
    "min.other": jnp.minimum,
    "argmax": lambda x, dim=None, keepdim=False: jnp.argmax(x, dim, keepdims=keepdim),
    "argmin": lambda x, dim=None, keepdim=False: jnp.argmin(x, dim, keepdims=keepdim),
    "var.correction": variance,
    "var_mean.correction": variance_and_mean,
    "_softmax": softmax,
    "_safe_softmax": softmax,
    "_log_softmax": log_softmax,
    "cumsum": cumulative_sum,
    "linalg_vector_norm": norm,
}
