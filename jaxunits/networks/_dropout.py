"""Dropout: random in training, nothing in evaluation."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, PRNGKeyArray, PyTree

from .._errors import InputError
from .._kinds import checks_kinds
from ._state import features_of, with_features


class Dropout(nnx.Module):
    """Sets random numbers to zero in training and scales up the others; passes them on otherwise.

    Attributes:
      rate: the probability to be set to zero.
      whole_channels: draw once for all positions of a channel's map (channel dropout).
    """

    units = None
    per_channel = True

    @checks_kinds
    def __init__(self, rate: float, *, whole_channels: bool = False) -> None:
        """Set up.

        Raises:
          InputError: the rate is not in 0 ≤ rate < 1.
        """
        if not 0 <= rate < 1:
            raise InputError(f"dropout of rate {rate}: give a number from 0 on and below 1")
        self.rate = rate
        self.whole_channels = whole_channels

    def __call__(self, state: PyTree) -> PyTree:
        """The state as it is."""
        return state

    def in_training(self, state: PyTree, key: PRNGKeyArray) -> PyTree:
        """The state with random features set to zero."""
        features: Array = features_of(state)
        shape = list(features.shape)
        if self.whole_channels:
            shape[1:-1] = [1] * (len(shape) - 2)
        kept = jax.random.bernoulli(key, 1 - self.rate, shape)
        dropped: Any = jnp.where(kept, features / (1 - self.rate), 0)
        return with_features(state, dropped)
