"""More masks of a layer than one pass can hold: several passes over the images, in rounds."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, Int64

from .. import execution
from ..data import Dataset
from ..execution import Enough, Files, Progress, Read, Reducer, trial
from ..networks import Classifier
from ._counts import as_integers
from ._engine import Answers, Engine
from ._execution import Execution
from ._question import Question


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


def sums_by_class(
    values: np.ndarray, labels: np.ndarray, classes: int
) -> Int64[np.ndarray, "rows classes"]:
    """Sums of whole numbers `[rows, images]` over the images of each class."""
    order = np.argsort(labels, kind="stable")
    present, starts = np.unique(labels[order], return_index=True)
    sums = np.zeros((len(values), classes), np.int64)
    sums[:, present] = np.add.reduceat(values[:, order], starts, axis=1, dtype=np.int64)
    return sums


def reducer(kind: type[Any], of: Callable[[Answers], Any]) -> Reducer:
    """What adds up named tuples of sums, one for each batch."""

    def added(one: Any, other: Any) -> Any:
        return kind(*(a + b for a, b in zip(one, other, strict=True)))

    return Reducer(kind, lambda seen: functools.reduce(added, map(of, seen)), added)


def in_rounds(
    network: Classifier,
    question: Question,
    data: Dataset,
    carried_out: Execution,
    reducer: Callable[[int], Reducer],
    masks: Callable[[int], Float32[np.ndarray, "masks units"]],
    rounds: int,
    *,
    settings: Mapping[str, str],
    files: Files,
    progress: Progress,
) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    """What is found in each round, and how; a kill loses one round at most.

    Args:
      network: the network.
      question: the layer, and what ablated units give.
      data: the images.
      carried_out: how.
      reducer: what is kept of the images in a round, by its number.
      masks: of a round, by its number; as many in each, because programs are compiled for that.
      rounds: how many.
      settings: everything that the numbers depend on.
      files: where the result will be kept.
      progress: called with the images done and in all, of all rounds.
    """
    question, folder = question.with_means(network, carried_out), files.on_the_way
    for number in range(rounds):
        asked = question.under(masks(number))
        found = execution.reduced(
            reducer(number),
            functools.partial(_engine, network, asked, carried_out, data.name),
            asked.read(network, data, carried_out),
            carried_out,
            settings={**settings, "measured": f"{settings['measured']}: round {number}"},
            file=folder and folder / f"{number}.nc",
            progress=_shifted(progress, number, rounds),
        )
        if planned := trial():
            planned.passes[-1] = dataclasses.replace(planned.passes[-1], steps=rounds)
            raise Enough
        yield found


def _engine(
    network: Classifier, question: Question, carried_out: Execution, data: str, read: Read
) -> Engine:
    return Engine(network, question, read, carried_out, data)


def _shifted(progress: Progress, number: int, rounds: int) -> Progress:
    """Progress of one round as progress of all."""
    return lambda done, total: progress(number * total + done, rounds * total)
