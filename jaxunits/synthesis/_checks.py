"""Checks of what can be maximized, before anything expensive where possible."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float, Int32

from .._errors import InputError
from ..data import Preprocessing
from ..networks import Layer
from ._method import Method
from ._objective import ACTIVATIONS, OBJECTIVES


def check_question(
    layer: Layer,
    preprocessing: Preprocessing,
    objective: str,
    activation: str,
    method: Method,
) -> None:
    """Refuse settings that do not suit a layer.

    Raises:
      InputError: naming the value.
    """
    for name, value, known in (
        ("objective", objective, OBJECTIVES),
        ("activation", activation, ACTIVATIONS),
    ):
        if not isinstance(value, str) or value not in known:
            raise InputError(f"{name}={value!r}: give one of {', '.join(known)}")
    if objective == "iam" and layer.num_units == 1:
        raise InputError(
            f"layer {layer.name!r} has one unit, and IAM compares a unit with the others of its "
            "layer: take objective='am'"
        )
    if method.decorrelate_colors and preprocessing.channels != 3:
        raise InputError(
            f"decorrelate_colors for images of {preprocessing.channels} channels: the colors of "
            "photographs are three; set it to False "
            "(dataclasses.replace(method, decorrelate_colors=False))"
        )


def check_kept(method: Method, file: str | Path | None) -> None:
    """Refuse to keep results of a method that cannot be recognized again.

    Raises:
      InputError: a function of the caller's own is part of the method of a file.
    """
    own = "learning_rate" if callable(method.learning_rate) else ""
    if not isinstance(method.optimizer, str):
        own = "optimizer"
    if file is not None and own:
        raise InputError(
            f"{own} of a method with file={str(file)!r}: a file does not tell one function from "
            "another; give a number for learning_rate and a name for optimizer, or no file"
        )


def check_finite(
    values: Float[np.ndarray, " images"],
    units: Int32[np.ndarray, " images"],
    when: str,
    place: str,
) -> None:
    """Refuse objectives that are not numbers.

    Raises:
      InputError: the first unit with one is named.
    """
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        raise InputError(
            f"the objective of unit {units[wrong[0]]} of {place} is {values[wrong[0]]} {when}: "
            "check the network's parameters and gradients, or take a lower learning rate"
        )
