"""Convolutions whose borders are wider than what their windows need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax


def with_narrow_borders(
    parameters: Mapping[str, Any], values: Sequence[Any]
) -> tuple[Mapping[str, Any], Sequence[Any]]:
    """The same convolution with a border that is narrower than the window; the rest is padded.

    Where the border is as wide as the window or wider, the gradient by the maps is a convolution
    with a negative border, which XLA computes wrongly on some CPUs (JAX 0.10.2: it reads beyond the
    maps, and gives numbers up to 1e27).

    Args:
      parameters: of `conv_general_dilated`.
      values: maps and kernel.
    """
    maps, kernel = values
    numbers = parameters["dimension_numbers"]
    # Zeros are padded to sides with gaps, too, by filling these.
    pads: list[tuple[int, int, int]] = [(0, 0, 0)] * maps.ndim
    padding, gaps = list(parameters["padding"]), list(parameters["lhs_dilation"])
    for side, axis in enumerate(numbers.lhs_spec[2:]):
        length = kernel.shape[numbers.rhs_spec[2 + side]]
        reach = (length - 1) * parameters["rhs_dilation"][side]
        low, high = (max(0, border - reach) for border in padding[side])
        if low or high:
            pads[axis] = (low, high, gaps[side] - 1)
            padding[side] = (padding[side][0] - low, padding[side][1] - high)
            gaps[side] = 1
    if not any(map(any, pads)):
        return parameters, values
    changed = {"padding": tuple(padding), "lhs_dilation": tuple(gaps)}
    return {**parameters, **changed}, (lax.pad(maps, jnp.zeros((), maps.dtype), pads), kernel)
