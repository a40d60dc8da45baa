"""The kernels that training starts from."""

from __future__ import annotations

import math
from functools import partial

import jax
from flax import nnx
from jaxtyping import Array, Float

from .._bounds import check_parameter_count
from ._stages import Activation

_FEWEST_DRAWN = 1 << 18
# Of a standard normal distribution without what lies beyond two deviations.
_TRUNCATED_DEVIATION = 0.87962566103423978


def initial_kernel(
    rngs: nnx.Rngs, shape: tuple[int, ...], activation: Activation
) -> Float[Array, ...]:
    """Weights that keep the variance of what comes in: He's for a non-linearity, else LeCun's.

    Equal to `nnx.initializers.he_normal` and `lecun_normal`.

    Raises:
      InputError: there are more than 2^29.
    """
    count = math.prod(shape)
    check_parameter_count(count, f"a layer whose kernel is {shape}")
    variance = (2 if activation else 1) / math.prod(shape[:-1])
    # The first numbers of a longer draw are those of the shorter one, and few lengths mean that
    # few programs are compiled: one for every kernel takes longer than all else in a network.
    length = max(_FEWEST_DRAWN, 1 << (count - 1).bit_length())
    drawn = jax.random.truncated_normal(rngs.params(), -2, 2, (length,))
    return _scaled(drawn, math.sqrt(variance) / _TRUNCATED_DEVIATION, shape)


@partial(jax.jit, static_argnames="shape")
def _scaled(
    drawn: Float[Array, " drawn"], deviation: float | Float[Array, ""], shape: tuple[int, ...]
) -> Float[Array, ...]:
    return drawn[: math.prod(shape)].reshape(shape) * deviation
