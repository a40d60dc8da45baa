"""A piece of a sweep: the outcomes of some images in a row."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int32, Int64

from ._engine import Answers

# Losses are added as multiples of this part of a nat, in integers: their sum does not depend on
# the order in which images come, nor on who adds them.
LOSS_UNITS = 2**24
_LARGEST_LOSS = 1e9


class Piece(NamedTuple):
    """Outcomes of some images in a row.

    Attributes:
      labels: the images' classes.
      prediction: predicted classes under every mask.
      classes: the classes that occur.
      loss: their cross-entropies' sums, in `1 / LOSS_UNITS` nats.
      repeated: images that were evaluated again in float32.
      seconds: how long it took.
    """

    labels: Int32[np.ndarray, " images"]
    prediction: Int32[np.ndarray, "masks images"]
    classes: Int64[np.ndarray, " classes"]
    loss: Int64[np.ndarray, "masks classes"]
    repeated: int
    seconds: float


def as_integers(loss: Float32[np.ndarray, "*shape"]) -> Int64[np.ndarray, "*shape"]:
    """Losses in whole `1 / LOSS_UNITS` nats; larger ones than 10⁹ nats count as 10⁹."""
    wide = np.minimum(loss.astype(np.float64), _LARGEST_LOSS)
    return np.rint(wide * LOSS_UNITS).astype(np.int64)


def join(answers: Sequence[Answers], repeated: int, seconds: float) -> Piece:
    """One piece of several batches."""
    labels = np.concatenate([part.labels for part in answers])
    loss = as_integers(np.concatenate([part.loss for part in answers], 1))
    order = np.argsort(labels, kind="stable")
    classes, starts = np.unique(labels[order], return_index=True)
    return Piece(
        labels=labels,
        prediction=np.concatenate([part.prediction for part in answers], 1),
        classes=classes.astype(np.int64),
        loss=np.add.reduceat(loss[:, order], starts, axis=1),
        repeated=repeated,
        seconds=seconds,
    )


def pack(piece: Piece, classes: int) -> bytes:
    """A piece as the bytes of a compressed npz file; predictions as changes of the first row."""
    small = np.min_scalar_type(classes)
    changed = np.where(piece.prediction[1:] == piece.prediction[0], 0, piece.prediction[1:] + 1)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        labels=piece.labels,
        before=piece.prediction[0],
        changed=changed.astype(small),
        classes=piece.classes,
        loss=piece.loss,
        repeated=piece.repeated,
        seconds=piece.seconds,
    )
    return buffer.getvalue()


def unpack(content: bytes) -> Piece:
    """The piece of some bytes of `pack`."""
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        before, changed = stored["before"], stored["changed"].astype(np.int32)
        return Piece(
            labels=stored["labels"],
            prediction=np.concatenate([before[None], np.where(changed == 0, before, changed - 1)]),
            classes=stored["classes"],
            loss=stored["loss"],
            repeated=int(stored["repeated"]),
            seconds=float(stored["seconds"]),
        )
