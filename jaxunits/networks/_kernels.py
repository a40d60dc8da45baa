"""The kernels that training starts from."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from .._bounds import check_parameter_count

_FEWEST_DRAWN = 1 << 18
# Of a standard normal distribution without what lies beyond two deviations.
_TRUNCATED_DEVIATION = 0.87962566103423978


class InitialKernels:
    """Flax initializers that draw a network's kernels one after another.

    Attributes:
      rngs: gives the keys; batch norms and dropouts are made with it too.
    """

    def __init__(self, seed: int) -> None:
        self.rngs = nnx.Rngs(params=seed, dropout=seed)

    def he(self, _: Any, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Float[Array, ...]:
        """Keeps the variance through a ReLU; equal to `nnx.initializers.he_normal`."""
        return _truncated_normal(self.rngs.params(), shape, 2).astype(dtype)

    def lecun(self, _: Any, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Float[Array, ...]:
        """Keeps the variance without one; equal to `nnx.initializers.lecun_normal`."""
        return _truncated_normal(self.rngs.params(), shape, 1).astype(dtype)


def _truncated_normal(key: Array, shape: tuple[int, ...], gain: int) -> Float[Array, ...]:
    """Weights of variance gain / inputs.

    Raises:
      InputError: there are more than 2^29.
    """
    count = math.prod(shape)
    check_parameter_count(count, f"a layer whose kernel is {shape}")
    deviation = math.sqrt(gain / math.prod(shape[:-1])) / _TRUNCATED_DEVIATION
    # The first numbers of a longer draw are those of the shorter one, and few lengths mean that
    # few programs are compiled: one for every kernel takes longer than all else in a network.
    length = max(_FEWEST_DRAWN, 1 << (count - 1).bit_length())
    drawn = jax.random.truncated_normal(key, -2, 2, (length,))
    return _scaled(drawn, deviation, shape)


def dense(inputs: int, outputs: int, kernel_init: Any) -> nnx.Linear:
    """A dense layer with biases of zero."""
    return nnx.Linear(inputs, outputs, kernel_init=kernel_init, rngs=nnx.Rngs(0))


@partial(jax.jit, static_argnames="shape")
def _scaled(
    drawn: Float[Array, " drawn"], deviation: float | Float[Array, ""], shape: tuple[int, ...]
) -> Float[Array, ...]:
    return drawn[: math.prod(shape)].reshape(shape) * deviation
