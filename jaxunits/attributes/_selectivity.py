"""Class selectivity."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


def class_selectivity(
    class_means: Float[Array, "*units classes"],
    *,
    present: Bool[Array, " classes"] | None = None,
    epsilon: float = 1e-12,
) -> Float[Array, "*units classes"]:
    """(μ_k − μ_¬k) / (μ_k + μ_¬k + ε) for every unit and class k (paper A eq. 3).

    μ_¬k is the mean of the other classes' means, so that each class weighs the same. The scalar of
    Morcos et al. 2018 is the value of the class with the largest mean, which for activations that
    are nowhere negative is the largest of the vector. In 0 to 1 only for such activations; 0 for a
    unit that never answers.

    Args:
      class_means: mean activation of each unit over the images of each class.
      present: the classes that have images; the others get 0 and count nowhere. All by default.
      epsilon: ε.
    """
    if present is None:
        present = jnp.ones(class_means.shape[-1], bool)
    counted = jnp.broadcast_to(present, class_means.shape)
    means = jnp.where(counted, class_means, 0)
    others = jnp.maximum(counted.sum(-1, keepdims=True) - 1, 1)
    rest = (means.sum(-1, keepdims=True) - means) / others
    return jnp.where(counted, (means - rest) / (means + rest + epsilon), 0)
