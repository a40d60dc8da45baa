"""Convolutions, products of matrices, norms and attention."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from ._elementwise import Operand, add, aligned
from ._unsupported import UnsupportedError

_AXES = "HWD"


def convolution(
    x: Float[Array, "images inputs *map"],
    weight: Float[Array, "outputs inputs_of_a_group *window"],
    bias: Float[Array, " outputs"] | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Float[Array, "images outputs *rows"]:
    """A convolution over any number of axes."""
    if transposed:
        raise UnsupportedError("a transposed convolution")
    count = x.ndim - 2
    axes = _AXES[:count]
    outputs = lax.conv_general_dilated(
        x,
        weight,
        _per_axis(stride, count),
        [(pad, pad) for pad in _per_axis(padding, count)],
        rhs_dilation=_per_axis(dilation, count),
        dimension_numbers=(f"NC{axes}", f"OI{axes}", f"NC{axes}"),
        feature_group_count=groups,
    )
    return outputs if bias is None else outputs + _per_channel(bias, x.ndim)


def _per_axis(numbers: Sequence[int], count: int) -> tuple[int, ...]:
    return tuple(numbers) * count if len(numbers) == 1 else tuple(numbers)


def _per_channel(values: Float[Array, " channels"], ndim: int) -> Float[Array, "1 channels ..."]:
    return values.reshape(1, -1, *(1 for _ in range(ndim - 2)))


def linear(
    x: Float[Array, "*rows inputs"],
    weight: Float[Array, "outputs inputs"],
    bias: Float[Array, " outputs"] | None = None,
) -> Float[Array, "*rows outputs"]:
    """X times the transposed weight, plus the bias."""
    product = lax.dot_general(x, weight, (((x.ndim - 1,), (1,)), ((), ())))
    return product if bias is None else add(product, bias)


def matmul(x: Array, y: Array) -> Array:
    """The product of matrices in the last two axes."""
    return jnp.matmul(x, y)


def add_product(bias: Array, x: Array, y: Array, *, beta: Operand = 1, alpha: Operand = 1) -> Array:
    """Beta times the bias plus alpha times the product."""
    return add(beta * bias if beta != 1 else bias, jnp.matmul(x, y), alpha=alpha)


def attention(
    queries: Float[Array, "*heads targets width"],
    keys: Float[Array, "*heads sources width"],
    values: Float[Array, "*heads sources width_of_values"],
    mask: Array | None = None,
    dropout: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Float[Array, "*heads targets width_of_values"]:
    """Values weighted by the softmax of queries times keys."""
    if enable_gqa or dropout:
        raise UnsupportedError("grouped queries" if enable_gqa else "dropout in training")
    scale = 1 / math.sqrt(queries.shape[-1]) if scale is None else scale
    scores = jnp.matmul(queries, jnp.matrix_transpose(keys)) * scale
    if is_causal:
        mask = jnp.tril(jnp.ones(scores.shape[-2:], bool))
    if mask is not None and mask.dtype == bool:
        mask = jnp.where(mask, 0.0, -jnp.inf)
    scores = scores if mask is None else add(scores, mask)
    return jnp.matmul(jax.nn.softmax(scores), values)


def batch_norm(
    x: Float[Array, "images channels *map"],
    weight: Float[Array, " channels"] | None,
    bias: Float[Array, " channels"] | None,
    mean: Float[Array, " channels"],
    variance: Float[Array, " channels"],
    momentum: float,
    epsilon: float,
) -> tuple[Float[Array, "images channels *map"], None, None]:
    """Batch norm by the statistics that training left: a scale and a shift of each channel."""
    scale = lax.rsqrt(variance + epsilon)
    scale = scale if weight is None else scale * weight
    shift = -mean * scale if bias is None else bias - mean * scale
    return x * _per_channel(scale, x.ndim) + _per_channel(shift, x.ndim), None, None


def norm_of_batch(
    x: Float[Array, "images channels *map"],
    weight: Float[Array, " channels"] | None,
    bias: Float[Array, " channels"] | None,
    training: bool,
    momentum: float,
    epsilon: float,
) -> tuple[Float[Array, "images channels *map"], None, None]:
    """Each channel standardized over images and map; instance norm is this on one image."""
    axes = (0, *range(2, x.ndim))
    standardized = _standardized(x, axes, epsilon)
    if weight is not None:
        standardized = standardized * _per_channel(weight, x.ndim)
    if bias is not None:
        standardized = standardized + _per_channel(bias, x.ndim)
    return standardized, None, None


def layer_norm(
    x: Float[Array, ...],
    shape: Sequence[int],
    weight: Float[Array, ...] | None,
    bias: Float[Array, ...] | None,
    epsilon: float,
) -> tuple[Float[Array, ...], None, None]:
    """Standardized over the last axes, then scaled and shifted."""
    outputs = _standardized(x, tuple(range(x.ndim - len(shape), x.ndim)), epsilon)
    outputs = outputs if weight is None else outputs * aligned(outputs, weight)[1]
    return outputs if bias is None else add(outputs, bias), None, None


def group_norm(
    x: Float[Array, "images channels *map"],
    weight: Float[Array, " channels"] | None,
    bias: Float[Array, " channels"] | None,
    images: int,
    channels: int,
    pixels: int,
    groups: int,
    epsilon: float,
) -> tuple[Float[Array, "images channels *map"], None, None]:
    """Standardized over the map and a group of channels, then scaled and shifted."""
    grouped = x.reshape(x.shape[0], groups, channels // groups, *x.shape[2:])
    outputs = _standardized(grouped, tuple(range(2, grouped.ndim)), epsilon).reshape(x.shape)
    outputs = outputs if weight is None else outputs * _per_channel(weight, x.ndim)
    return outputs if bias is None else outputs + _per_channel(bias, x.ndim), None, None


def _standardized(x: Float[Array, ...], axes: tuple[int, ...], epsilon: float) -> Float[Array, ...]:
    centered = x - jnp.mean(x, axes, keepdims=True)
    variance = jnp.mean(jnp.square(centered), axes, keepdims=True)
    return centered * lax.rsqrt(variance + epsilon)


RULES: dict[str, Callable[..., Any]] = {
    "convolution": convolution,
    "linear": linear,
    "matmul": matmul,
    "mm": matmul,
    "bmm": matmul,
    "mv": matmul,
    "dot": matmul,
    "addmm": add_product,
    "baddbmm": add_product,
    "scaled_dot_product_attention": attention,
    "_native_batch_norm_legit_no_training": batch_norm,
    "_native_batch_norm_legit.no_stats": norm_of_batch,
    "native_layer_norm": layer_norm,
    "native_group_norm": group_norm,
}
