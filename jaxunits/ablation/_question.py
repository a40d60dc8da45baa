"""What is asked of a network, and what is kept of its logits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Int32

from .._errors import InputError
from ..data import Dataset, subset
from ..networks import Layer


@dataclass(frozen=True, eq=False)
class Resampling:
    """Ablated units give their activations on other images, drawn at random.

    Attributes:
      reference: the images to draw from.
      seed: of the draw.
    """

    reference: Dataset
    seed: int

    def partners(self, data: Dataset) -> Dataset:
        """The other image for each image, the same for all units.

        Raises:
          InputError: the images are drawn from themselves, and there is but one.
        """
        random, count = np.random.default_rng(self.seed), len(self.reference)
        if self.reference.fingerprint != data.fingerprint:
            return subset(self.reference, random.integers(count, size=len(data)))
        if count == 1:
            raise InputError(
                f"values='resample' with the one image of data {data.name!r}: there is no other to "
                "draw; give reference="
            )
        drawn = random.integers(count - 1, size=count)
        return subset(self.reference, drawn + (drawn >= np.arange(count)))


class Inputs(NamedTuple):
    """What a network reads of a batch.

    Attributes:
      images: `[images, height, width, channels]`.
      partners: as many other images, whose activations ablated units give; None for none.
    """

    images: Any
    partners: Any = None


@dataclass(frozen=True, eq=False)
class Question:
    """Masks of one layer whose outcomes are wanted.

    Attributes:
      layer: the layer.
      masks: 1 = kept; the first row keeps everything.
      values: what ablated units give: one number per unit, or activations on other images; None
        for zero.
      basis: orthonormal directions as columns, whose coordinates the masks ablate; None for units.
      held: masks of other layers `[units]` that apply throughout.
      along: masks of other layers `[masks, units]`, one for each mask.
    """

    layer: Layer
    masks: Float32[np.ndarray, "masks units"]
    values: Float32[np.ndarray, " units"] | Resampling | None = None
    basis: Float32[np.ndarray, "units directions"] | None = None
    held: Mapping[str, np.ndarray] = field(default_factory=dict)
    along: Mapping[str, np.ndarray] = field(default_factory=dict)

    def inputs(self, data: Dataset) -> tuple[Dataset, ...]:
        """What is read for some images: these, and others where ablated units give theirs."""
        if isinstance(self.values, Resampling):
            return data, self.values.partners(data)
        return (data,)


class Outcome(NamedTuple):
    """What is kept of the logits of one image under one mask.

    Attributes:
      prediction: the class with the largest logit, the first of equals.
      loss: cross-entropy in nats.
      margin: the largest logit less the second largest.
    """

    prediction: Int32[Array, "*masks images"]
    loss: Float32[Array, "*masks images"]
    margin: Float32[Array, "*masks images"]


def classify(logits: Float[Array, "images classes"], labels: Int32[Array, " images"]) -> Outcome:
    """Predicted class, cross-entropy and margin of each image."""
    logits = logits.astype(jnp.float32)
    classes = jax.lax.broadcasted_iota(jnp.int32, logits.shape, 1)
    largest = jnp.max(logits, axis=1)
    # The first of equals. XLA's argmax does the same and is five times as slow on CPUs.
    first = jnp.where(logits == largest[:, None], classes, logits.shape[1])
    prediction = jnp.min(first, axis=1)
    label = jnp.take_along_axis(logits, labels[:, None], axis=1)[:, 0]
    loss = jnp.log(jnp.exp(logits - largest[:, None]).sum(1)) - (label - largest)
    others = jnp.where(classes == prediction[:, None], -jnp.inf, logits)
    return Outcome(prediction, loss, largest - jnp.max(others, axis=1))
