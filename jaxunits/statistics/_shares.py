"""Checks of given accuracy curves."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float64

from .._arguments import real_array
from .._errors import InputError


def checked_shares(values: Any, name: str, shape: str) -> Float64[np.ndarray, "*shape"]:
    """Shares of images, from 0 to 1, in float64.

    Args:
      values: what was given.
      name: what it is, for messages.
      shape: its axes, such as `"[steps, sides]"`.

    Raises:
      InputError: there are none, the array has a different number of axes, or a number is NaN or
        outside 0 to 1.
    """
    shares = real_array(values, name).astype(np.float64)
    if shares.ndim != shape.count(",") + 1 or shares.size == 0:
        raise InputError(f"{name} of shape {shares.shape}: give {shape}, at least one step")
    wrong = np.argwhere(~((shares >= 0) & (shares <= 1)))
    if len(wrong):
        first = tuple(wrong[0].tolist())
        raise InputError(
            f"{name} {shares[first]:g} at step {first[0]}: give accuracy as shares of images, from "
            "0 to 1"
        )
    return shares
