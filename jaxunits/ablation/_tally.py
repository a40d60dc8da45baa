"""From predictions to integer counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

from ._pieces import Piece


class Counts(NamedTuple):
    """Sums over images; row 0 is without ablation, then one row a mask.

    Attributes:
      images: images of each class.
      correct: correct images.
      broken: images that were correct without ablation and are not under the mask.
      loss: sums of cross-entropies, in `1 / LOSS_UNITS` nats.
      worst: the class that loses the largest share of its images.
      confusion: its images by predicted class, under the mask.
      confusion_before: the same images by predicted class, without ablation.
      repeated: images that were evaluated again in float32.
      seconds: how long all pieces took.
    """

    images: Int64[np.ndarray, " classes"]
    correct: Int64[np.ndarray, "rows classes"]
    broken: Int64[np.ndarray, "rows classes"]
    loss: Int64[np.ndarray, "rows classes"]
    worst: Int64[np.ndarray, " rows"]
    confusion: Int64[np.ndarray, "rows classes"]
    confusion_before: Int64[np.ndarray, "rows classes"]
    repeated: int
    seconds: float


def tally(pieces: Callable[[], Iterable[Piece]], rows: int, classes: int) -> Counts:
    """Sum up pieces, in two rounds: the confusion is that of the class that the first finds.

    Args:
      pieces: gives all pieces, each time it is called.
      rows: masks, and one row more without ablation.
      classes: how many classes there are.
    """
    images = np.zeros(classes, np.int64)
    correct, broken, loss = (np.zeros((rows, classes), np.int64) for _ in range(3))
    before = np.zeros((classes, classes), np.int64)
    repeated, seconds = 0, 0.0
    for piece in pieces():
        repeated, seconds = repeated + piece.repeated, seconds + piece.seconds
        right = piece.prediction == piece.labels
        order = np.argsort(piece.labels, kind="stable")
        starts = np.unique(piece.labels[order], return_index=True)[1]
        images += np.bincount(piece.labels, minlength=classes)
        correct[:, piece.classes] += _sums(right[:, order], starts)
        broken[:, piece.classes] += _sums((right[:1] & ~right)[:, order], starts)
        loss[:, piece.classes] += piece.loss
        np.add.at(before, (piece.labels, piece.prediction[0]), 1)
    worst = _most_damaged(correct, images)
    confusion = np.zeros((rows, classes), np.int64)
    for piece in pieces():
        row, image = np.nonzero(piece.labels[None] == worst[:, None])
        np.add.at(confusion, (row, piece.prediction[row, image]), 1)
    return Counts(images, correct, broken, loss, worst, confusion, before[worst], repeated, seconds)


def _sums(values: np.ndarray, starts: np.ndarray) -> Int64[np.ndarray, "rows classes"]:
    return np.add.reduceat(values.astype(np.int64), starts, axis=1)


def _most_damaged(
    correct: Int64[np.ndarray, "rows classes"], images: Int64[np.ndarray, " classes"]
) -> Int64[np.ndarray, " rows"]:
    """The class with the largest accuracy drop, the first of equals."""
    drop = np.full(correct.shape, -np.inf)
    np.divide(
        correct[:1] - correct, images, out=drop, where=np.broadcast_to(images > 0, drop.shape)
    )
    return drop.argmax(1)
