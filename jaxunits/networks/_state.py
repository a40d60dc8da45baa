"""What stages hand on: features, and inside a residual block the shortcut beside them."""

from __future__ import annotations

from typing import Any, NamedTuple

from jaxtyping import Array, Float


class Branched(NamedTuple):
    """The state inside a residual block.

    Attributes:
      features: what the block's next convolution reads; its channels are the units.
      shortcut: what is added at the block's end.
    """

    features: Float[Array, "*images height width units"]
    shortcut: Float[Array, "*images rows columns channels"]


def features_of(state: Any) -> Any:
    """The part of a state whose last axis are the units."""
    return state.features if isinstance(state, Branched) else state


def with_features(state: Any, features: Any) -> Any:
    """The state with other features."""
    return state._replace(features=features) if isinstance(state, Branched) else features
