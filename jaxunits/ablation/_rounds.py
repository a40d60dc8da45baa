"""More masks of a layer than one pass can hold: several passes over the images, in rounds."""

from __future__ import annotations

import abc
import dataclasses
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
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


def added_up(kind: type[Any], of: Callable[[Answers], Any]) -> Reducer:
    """What adds up named tuples of sums, one for each batch."""

    def added(one: Any, other: Any) -> Any:
        return kind(*(a + b for a, b in zip(one, other, strict=True)))

    return Reducer(kind, lambda seen: functools.reduce(added, map(of, seen)), added)


class Rounds(abc.ABC):
    """What is measured in rounds, and what becomes of what they find.

    Attributes:
      most: how many rounds there are at most.
    """

    most: int

    @abc.abstractmethod
    def masks(self, number: int) -> Float32[np.ndarray, "masks units"]:
        """Of a round; as many in each, because programs are compiled for that."""

    @abc.abstractmethod
    def reducer(self, number: int) -> Reducer:
        """What is kept of the images in a round."""

    @abc.abstractmethod
    def take(self, found: Any) -> bool:
        """Take what a round has found; whether no further one is needed."""

    @abc.abstractmethod
    def result(self) -> xr.Dataset:
        """What all rounds have found, once they are done."""


def measure_rounds(
    network: Classifier,
    question: Question,
    data: Dataset,
    carried_out: Execution,
    rounds: Rounds,
    *,
    settings: Mapping[str, str],
    file: str | Path | None,
    progress: Progress | bool | None,
    title: str,
) -> xr.Dataset:
    """The result of masks in rounds; an interruption loses at most one round.

    Args:
      network: the network.
      question: the layer, and what ablated units give.
      data: the images.
      carried_out: execution options.
      rounds: the rounds.
      settings: everything that the numbers depend on.
      file: where the result is kept.
      progress: called with the images done and the total, over all rounds.
      title: what is measured, for the progress bar.
    """
    layer = question.layer.name
    files = Files.of(file, [layer], several=False, steps="rounds")
    with (
        files.made({layer: dict(settings)}) as made,
        execution.reporting(progress, f"{title} of {layer}") as report,
    ):
        if made is not None:
            return made[layer]
        question = question.with_means(network, carried_out)
        passes: list[Mapping[str, Any]] = []
        for number in range(rounds.most):
            asked = question.under(rounds.masks(number))
            found, how = execution.reduced(
                rounds.reducer(number),
                functools.partial(_engine, network, asked, carried_out, data.name),
                asked.read(network, data, carried_out),
                carried_out,
                settings={**settings, "measured": f"{settings['measured']}: round {number}"},
                file=files.on_the_way and files.on_the_way / f"{number}.nc",
                progress=_shifted(report, number, rounds.most),
            )
            if planned := trial():
                planned.passes[-1] = dataclasses.replace(planned.passes[-1], steps=rounds.most)
                raise Enough
            passes.append(how)
            if rounds.take(found):
                break
        timing, how = execution.together(passes)
        return files.write({layer: rounds.result().assign_attrs({**how, **settings})}, timing)[
            layer
        ]


def _engine(
    network: Classifier, question: Question, carried_out: Execution, data: str, read: Read
) -> Engine:
    return Engine(network, question, read, carried_out, data)


def _shifted(progress: Progress, number: int, rounds: int) -> Progress:
    """Progress of one round as progress of all."""
    return lambda done, total: progress(number * total + done, rounds * total)
