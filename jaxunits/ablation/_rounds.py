"""More masks of a layer than one pass can hold: several passes over the images, in rounds."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import xarray as xr
from jaxtyping import Float32, Int64

from ..execution import OnePass, Reducer, added
from ._counts import as_integers, sums_by_class
from ._engine import Answers, Engine
from ._question import Question


@runtime_checkable
class OneRound(Protocol):
    """Evaluates masks in one pass over the images."""

    def __call__(
        self,
        masks: Float32[np.ndarray, "masks units"],
        kind: type[Any],
        of: Callable[[Answers], Any],
        chosen: Int64[np.ndarray, " chosen"] | None = None,
    ) -> Any:
        """The sum over images of what is kept of each batch.

        Args:
          masks: as many in every round, because programs are compiled for that.
          kind: the named tuple that is kept.
          of: from a batch's outcomes to it.
          chosen: some of the images; None for all.
        """


class Sums(NamedTuple):
    """Sums over some images, under every mask of a round; row 0 is without ablation.

    Attributes:
      images: of each class.
      correct: correct images.
      loss: cross-entropies, in `1 / LOSS_UNITS` nats.
    """

    images: Int64[np.ndarray, " classes"]
    correct: Int64[np.ndarray, "rows classes"]
    loss: Int64[np.ndarray, "rows classes"]

    @classmethod
    def of(cls, answers: Answers, classes: int) -> Sums:
        """Of one batch."""
        right = answers.prediction == answers.labels
        return cls(
            np.bincount(answers.labels, minlength=classes).astype(np.int64),
            sums_by_class(right, answers.labels, classes),
            sums_by_class(as_integers(answers.loss), answers.labels, classes),
        )


def in_rounds(
    question: Question, measured: Callable[[OneRound], xr.Dataset]
) -> Callable[[OnePass], xr.Dataset]:
    """What is measured in rounds, each of which is a pass.

    Args:
      question: the layer, and what ablated units give.
      measured: the result, from a function that evaluates a round.
    """

    def by_passes(one_pass: OnePass) -> xr.Dataset:
        filled, numbers = question.with_means(), itertools.count()

        def one_round(
            masks: Float32[np.ndarray, "masks units"],
            kind: type[Any],
            of: Callable[[Answers], Any],
            chosen: Int64[np.ndarray, " chosen"] | None = None,
        ) -> Any:
            asked = dataclasses.replace(filled.under(masks), chosen=chosen)
            name = f"round {next(numbers)}"
            reducer = Reducer(name, kind, lambda seen: functools.reduce(added, map(of, seen)))
            return one_pass(reducer, lambda read: Engine(asked, read), asked.read())

        return measured(one_round)

    return by_passes
