"""Images standardized on the devices."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, PyTree, UInt8

from ..data import Preprocessing


def standardized(inputs: PyTree, preprocessing: Preprocessing) -> PyTree:
    """Images of uint8 as `Preprocessing.standardize` gives them, to the bit, in float32.

    Args:
      inputs: what is read of images, in which pixels alone are uint8; all else stays as it is.
      preprocessing: what the network expects.
    """
    return jax.tree.map(
        lambda leaf: _looked_up(leaf, preprocessing) if leaf.dtype == jnp.uint8 else leaf, inputs
    )


def _looked_up(
    pixels: UInt8[Array, "images height width channels"], preprocessing: Preprocessing
) -> Float32[Array, "images height width channels"]:
    """What the host makes of each of the 256 values.

    Arithmetic would give other bits: XLA multiplies by the reciprocals of constants.
    """
    channels = preprocessing.channels
    values = np.repeat(np.arange(256, dtype=np.uint8), channels).reshape(1, 256, channels)
    table = jnp.asarray(preprocessing.standardize(values)).reshape(-1)
    ordered = pixels[..., ::-1] if preprocessing.order == "bgr" else pixels
    channel = jax.lax.broadcasted_iota(jnp.int32, pixels.shape, pixels.ndim - 1)
    return table.at[ordered.astype(jnp.int32) * channels + channel].get(mode="promise_in_bounds")
