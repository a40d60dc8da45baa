"""How fast a device multiplies, and what a network asks of it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxunits.execution._devices import products, working_dtype
from jaxunits.networks import Classifier
from jaxunits.tracing import multiply_adds

from .clock import clocked

# Products in one program, so that the time of its start does not count.
_PRODUCTS = 8


def matrix_rate(side: int, precision: str, at_least: float) -> float:
    """Floating-point operations a second in products of square matrices.

    Args:
      side: rows and columns of the matrices.
      precision: as in a sweep.
      at_least: seconds that it is timed for.
    """
    values = np.random.default_rng(0).normal(0, side**-0.5, (side, side))
    matrix = jnp.asarray(values, working_dtype(precision))

    def multiplied(product: jax.Array, matrix: jax.Array) -> jax.Array:
        for _ in range(_PRODUCTS):
            product = product @ matrix
        return product

    with products(precision):
        run = jax.jit(multiplied).lower(matrix, matrix).compile()
    jax.block_until_ready(run(matrix, matrix))
    seconds = clocked(lambda: jax.block_until_ready(run(matrix, matrix)), at_least)
    return _PRODUCTS * 2 * side**3 / seconds


def operations(network: Classifier) -> int:
    """Floating-point operations of a plain pass of one image: twice its multiply-adds."""
    images = network.example
    program = network.function.traced(network.params, images).program
    return 2 * multiply_adds(program) // images.shape[0]
