"""Random movements of an image, against patterns that depend on an exact position."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from ._method import Method

_GRAY = 0.5


def transformed(
    method: Method, key: PRNGKeyArray, image: Float[Array, "height width channels"]
) -> Float[Array, "height width channels"]:
    """The image shifted by whole pixels, scaled and turned about its center; mid gray around it."""
    if not method.transforms:
        return image
    shift_key, scale_key, angle_key = jax.random.split(key, 3)
    size = jnp.asarray(image.shape[:2], image.dtype)
    shift = jax.random.uniform(shift_key, (2,), minval=-1, maxval=1) * method.jitter * size
    factor = 1 + jax.random.uniform(scale_key, minval=-1, maxval=1) * method.scale
    angle = jnp.deg2rad(jax.random.uniform(angle_key, minval=-1, maxval=1) * method.rotate)
    return _sampled(image, jnp.round(shift), factor, angle)


def _sampled(
    image: Float[Array, "height width channels"],
    shift: Float[Array, 2],
    factor: Float[Array, ""],
    angle: Float[Array, ""],
) -> Float[Array, "height width channels"]:
    """Bilinear: each pixel asks where it comes from."""
    height, width, _ = image.shape
    center = jnp.asarray([(height - 1) / 2, (width - 1) / 2], image.dtype)
    rows = jnp.arange(height, dtype=image.dtype)[:, None] - center[0] - shift[0]
    columns = jnp.arange(width, dtype=image.dtype)[None] - center[1] - shift[1]
    cosine, sine = jnp.cos(angle) / factor, jnp.sin(angle) / factor
    from_rows = cosine * rows - sine * columns + center[0]
    from_columns = sine * rows + cosine * columns + center[1]
    sample = functools.partial(
        jax.scipy.ndimage.map_coordinates,
        coordinates=[from_rows, from_columns],
        order=1,
        mode="constant",
        cval=_GRAY,
    )
    return jax.vmap(sample, in_axes=-1, out_axes=-1)(image)
