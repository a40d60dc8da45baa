"""From predictions to integer counts, on the host."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from .._errors import InputError
from ..data import Batch, Dataset
from ._program import Outcome, Program


class Counts(NamedTuple):
    """Sums over images; row 0 is without ablation, then one row a mask.

    Attributes:
      correct: correct images.
      loss_sum: sums of cross-entropies in nats.
      images: images of each class.
    """

    correct: Int64[np.ndarray, "rows classes"]
    loss_sum: Float64[np.ndarray, "rows classes"]
    images: Int64[np.ndarray, " classes"]


def count(
    program: Program,
    stream: Iterator[Batch],
    masks: int,
    data: Dataset,
    place: str,
    progress: Callable[[int, int], None] | None,
) -> Counts:
    """Run a program over batches and sum up its outcomes by class.

    Losses are added image after image in float64, so that the sums are the same for every batch
    size and number of devices.

    Args:
      program: the compiled sweep.
      stream: all images once.
      masks: how many masks the program evaluates.
      data: the images, for the number of classes and for messages.
      place: the layer, for messages.
      progress: called with images done and in all.

    Raises:
      InputError: a logit is not a number; image and mask are named.
    """
    classes = len(data.class_names)
    correct = np.zeros((classes, masks + 1), np.int64)
    loss_sum = np.zeros((classes, masks + 1))
    images = np.zeros(classes, np.int64)
    done = 0
    for batch, outcome in _one_ahead(program, stream):
        labels = batch.labels[batch.valid]
        prediction, loss = (np.asarray(part)[: masks + 1, batch.valid] for part in outcome)
        _check_finite(loss, done, data, place)
        np.add.at(correct, labels, (prediction == labels).T)
        np.add.at(loss_sum, labels, loss.T.astype(np.float64))
        np.add.at(images, labels, 1)
        done += len(labels)
        if progress is not None:
            progress(done, len(data))
    return Counts(correct.T, loss_sum.T, images)


def _one_ahead(program: Program, stream: Iterator[Batch]) -> Iterator[tuple[Batch, Outcome]]:
    """Outcomes in order, the device already at work on the batch that follows."""
    waiting: tuple[Batch, Outcome] | None = None
    for batch in stream:
        started = (batch, program.run(batch))
        if waiting is not None:
            yield waiting
        waiting = started
    if waiting is not None:
        yield waiting


def _check_finite(loss: np.ndarray, first_image: int, data: Dataset, place: str) -> None:
    wrong = np.argwhere(~np.isfinite(loss))
    if len(wrong) == 0:
        return
    row, image = wrong[0]
    when = "without ablation" if row == 0 else f"under mask {row - 1} of {place}"
    raise InputError(
        f"logits of image {first_image + image} of data {data.name!r} {when} are NaN or infinite "
        f"({len(np.unique(wrong[:, 1]))} images of this batch): check the network and its "
        "preprocessing; larger activations than float32 holds are a common cause"
    )
