"""How images are made: the settings of gradient ascent."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import optax

from .._arguments import check_real, check_whole
from .._errors import InputError
from .._kinds import check_fields

OPTIMIZERS = ("normalized", "gradient", "adam")
BASES = ("pixel", "fourier")
VALUES = ("clip", "sigmoid")


@dataclass(frozen=True)
class Method:
    """How an image is made; by default plain gradient ascent on pixels, as in arXiv 1911.05586.

    Attributes:
      steps: steps of ascent.
      learning_rate: of the optimizer: a number, which falls to 0 along half a cosine over the
        steps, or an Optax schedule of the step (`optax.constant_schedule(0.1)`).
      optimizer: `"normalized"`, gradient ascent whose step changes an image's numbers by
        `learning_rate` in root mean square, whatever the scale of the network's activations;
        `"gradient"`, the gradient times `learning_rate`; `"adam"`; or an Optax transformation that
        minimizes, with its own learning rate.
      basis: the numbers that ascent changes: `"pixel"`, or `"fourier"`, the coefficients of a
        Fourier series scaled so that all frequencies start with equal energy (Olah et al. 2017).
      values: how pixels stay between 0 and 1: `"clip"` cuts them after every step (pixels alone);
        `"sigmoid"` takes the numbers through a sigmoid.
      decorrelate_colors: whether ascent changes the principal colors of photographs instead of
        red, green and blue (needs three channels and `"sigmoid"`).
      noise: standard deviation of the noise round mid gray that ascent starts from, in the numbers
        that it changes.
      jitter: the image is shifted at random at every step, by at most so much of its sides.
      scale: the image is scaled at random at every step, by factors from 1 − `scale` to
        1 + `scale`.
      rotate: the image is turned at random at every step, by at most so many degrees either way.
      total_variation: weight of the mean absolute difference of neighboring pixels, which is taken
        from the objective.
      l2: weight of the mean squared distance of pixels from mid gray, which is taken from the
        objective.
      wake: whether a unit that responds nowhere on an image, and so has no gradient, climbs what
        goes into its non-linearity until it responds.
    """

    steps: int = 256
    learning_rate: float | Callable[[Any], Any] = 0.1
    optimizer: str | optax.GradientTransformation = "normalized"
    basis: str = "pixel"
    values: str = "clip"
    decorrelate_colors: bool = False
    noise: float = 0.1
    jitter: float = 0.0
    scale: float = 0.0
    rotate: float = 0.0
    total_variation: float = 0.0
    l2: float = 0.0
    wake: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be carried out.

        Raises:
          InputError: a name is unknown, a number out of range, or settings do not go together.
        """
        check_fields(self)
        for name, known in (("basis", BASES), ("values", VALUES)):
            if getattr(self, name) not in known:
                raise InputError(f"{name}={getattr(self, name)!r}: give one of {', '.join(known)}")
        if isinstance(self.optimizer, str) and self.optimizer not in OPTIMIZERS:
            raise InputError(
                f"optimizer={self.optimizer!r}: give one of {', '.join(OPTIMIZERS)}, or an Optax "
                "transformation"
            )
        check_whole(steps=self.steps)
        if self.steps < 1:
            raise InputError(f"steps={self.steps}: give at least 1")
        self._check_numbers()
        if self.values == "clip" and (self.basis == "fourier" or self.decorrelate_colors):
            raise InputError(
                "values='clip' cuts pixels after every step: give values='sigmoid' with "
                "basis='fourier' or decorrelate_colors"
            )

    def _check_numbers(self) -> None:
        for name in ("noise", "rotate", "total_variation", "l2"):
            value = getattr(self, name)
            check_real(**{name: value})
            if not (value >= 0 and math.isfinite(value)):
                raise InputError(f"{name}={value}: give a number that is not negative")
        if not callable(self.learning_rate):
            check_real(learning_rate=self.learning_rate)
        for name in ("jitter", "scale"):
            check_real(**{name: getattr(self, name)})
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)}: give a share from 0 to below 1")
        if not callable(self.learning_rate) and not 0 < self.learning_rate < math.inf:
            raise InputError(f"learning_rate={self.learning_rate}: give a number above 0")

    @property
    def rate(self) -> Callable[[Any], Any]:
        """The learning rate by step."""
        if callable(self.learning_rate):
            return self.learning_rate
        schedule: Callable[[Any], Any] = optax.cosine_decay_schedule(self.learning_rate, self.steps)
        return schedule

    @property
    def transforms(self) -> bool:
        """Whether the image is moved at random at every step."""
        return max(self.jitter, self.scale, self.rotate) > 0

    def described(self) -> str:
        """The settings as JSON; functions of a user's own are only named as such."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        if callable(self.learning_rate):
            fields["learning_rate"] = "schedule"
        if not isinstance(self.optimizer, str):
            fields["optimizer"] = "transformation"
        return json.dumps(fields)


ROBUST = Method(
    steps=256,
    learning_rate=0.05,
    optimizer="adam",
    basis="fourier",
    values="sigmoid",
    decorrelate_colors=True,
    noise=0.01,
    jitter=0.06,
    scale=0.1,
    rotate=5.0,
)
"""Images of RGB networks that people can read: what a unit responds to however it is moved.

For other numbers of channels take `dataclasses.replace(ROBUST, decorrelate_colors=False)`.
"""
