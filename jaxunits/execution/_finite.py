"""Outputs of networks have to be finite."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .._errors import InputError


def finite_mark(values: Float[Array, "images ..."]) -> Float[Array, " images"]:
    """A number per image, inside programs: 0 where all of its values are finite, else NaN."""
    finite = jnp.isfinite(values).reshape(len(values), -1).all(1)
    return jnp.where(finite, 0, jnp.nan).astype(jnp.float32)


def check_finite(
    values: Float[np.ndarray, "images ..."], image: Int[np.ndarray, " images"], what: str, data: str
) -> None:
    """Refuse outputs of a network that are NaN or infinite.

    Args:
      values: the outputs.
      image: which images these are.
      what: what they are, such as `"activation of layer 'conv1'"`.
      data: the data set's name.

    Raises:
      InputError: naming the first such image, and how many there are.
    """
    wrong = np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(1))
    if len(wrong):
        raise InputError(
            f"{what} on image {image[wrong[0]]} of data {data!r} is NaN or infinite "
            f"({len(wrong)} images of this batch): check the network and its preprocessing; values "
            "beyond the range of float32 are a common cause"
        )
