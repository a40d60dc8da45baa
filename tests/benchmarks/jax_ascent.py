"""Activation maximization as it is usually written in JAX, a unit after another."""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

import jaxunits as ju
from jaxunits.networks import Classifier

Image = Float[np.ndarray, "height width channels"]
Ascend = Callable[[int, Image], Image]


def ascent(network: Classifier, layer: str, method: ju.synthesis.Method) -> Ascend:
    """From a unit and a start to its image, by a step that is compiled once for all units.

    The network runs up to the layer, for one image and all units; the unit's mean activation is
    climbed, or what goes into its ReLU while it is dead.
    """
    mean, std = (
        jnp.resize(jnp.float32(values), (1, 1, 1, network.preprocessing.channels))
        for values in (network.preprocessing.mean, network.preprocessing.std)
    )

    def climbed(image: Array, params: object, unit: Array) -> Array:
        before, answer = network.function.before_and_after(params, (image - mean) / std, layer)
        after = answer[..., unit]
        own = after if before is None else before[..., unit]
        return jnp.where((after > 0).any(), after, own).mean()

    @jax.jit
    def step(params: object, image: Array, unit: Array, number: Array) -> Array:
        gradient = jax.grad(climbed)(image, params, unit)
        beyond = ((image <= 0) & (gradient < 0)) | ((image >= 1) & (gradient > 0))
        gradient = jnp.where(beyond, 0, gradient)
        length = jnp.linalg.norm(gradient.ravel()) / math.sqrt(gradient.size)
        return jnp.clip(image + method.rate(number) * gradient / (length + 1e-20), 0, 1)

    def ascend(unit: int, start: Image) -> Image:
        image = jnp.asarray(start[None])
        for number in range(method.steps):
            image = step(network.params, image, jnp.int32(unit), jnp.int32(number))
        return np.asarray(image[0])

    return ascend
