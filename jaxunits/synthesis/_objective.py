"""What is maximized: AM, IAM, and what is taken from them for images that are not smooth."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ._method import Method

OBJECTIVES = ("am", "iam")
ACTIVATIONS = ("mean", "max")


def mean_of_others(responses: Float[Array, " units"], unit: Int[Array, ""]) -> Float[Array, ""]:
    """What IAM takes from x_u: the mean of x_j over the other units j (arXiv 1911.05586, eq. 3).

    Args:
      responses: x, the activations of all units of the layer on an image.
      unit: u.
    """
    others = jnp.arange(responses.shape[0]) != unit
    return jnp.where(others, responses, 0).sum() / (responses.shape[0] - 1)


def activation_of(maps: Float[Array, "*map units"], activation: str) -> Float[Array, " units"]:
    """The activation of every unit on an image: the mean of its map, or its largest value."""
    flat = maps.reshape(-1, maps.shape[-1])
    return flat.max(0) if activation == "max" else flat.mean(0)


def penalty(method: Method, image: Float[Array, "height width channels"]) -> Float[Array, ""]:
    """What total variation and distance from mid gray cost."""
    cost = jnp.zeros((), image.dtype)
    if method.total_variation:
        differences = [jnp.abs(jnp.diff(image, axis=axis)).mean() for axis in _long(image)]
        cost += method.total_variation * jnp.asarray(sum(differences), image.dtype)
    if method.l2:
        cost += method.l2 * ((image - 0.5) ** 2).mean()
    return cost


def _long(image: Float[Array, "height width channels"]) -> list[int]:
    """The axes along which pixels have neighbors."""
    return [axis for axis in (0, 1) if image.shape[axis] > 1]
