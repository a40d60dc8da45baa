"""What is done so far: pieces of a sweep, each the outcomes of some images in a row."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int32, Int64

from .._errors import InputError
from ..results import raise_if_different, read_json, write_atomically
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


def join(answers: Sequence[Answers], repeated: int, seconds: float) -> Piece:
    """One piece of several batches."""
    labels = np.concatenate([part.labels for part in answers])
    loss = np.concatenate([part.loss for part in answers], 1).astype(np.float64)
    loss = np.rint(np.minimum(loss, _LARGEST_LOSS) * LOSS_UNITS).astype(np.int64)
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


class Pieces:
    """The finished pieces of a sweep, in memory or in a folder.

    Attributes:
      folder: where they are kept; None for in memory.
    """

    def __init__(self, folder: Path | None, settings: Mapping[str, Any]) -> None:
        """Open a folder of pieces, or begin one.

        Args:
          folder: where they are kept; None for in memory.
          settings: what all pieces have in common.

        Raises:
          InputError: the folder holds pieces of other settings; every difference is named.
        """
        self.folder = folder
        self._memory: dict[int, bytes] = {}
        if folder is None:
            return
        path = folder / "settings.json"
        if not path.exists():
            write_atomically(path, json.dumps(dict(settings), indent=2) + "\n")
            return
        raise_if_different(
            read_json(path, f"{folder} is not a folder of pieces"),
            settings,
            place=f"the unfinished measurement {folder}",
            way_out="Give the same settings to go on with it, or delete the folder to begin anew",
        )

    def __contains__(self, start: int) -> bool:
        if self.folder is None:
            return start in self._memory
        return self._path(self.folder, start).exists()

    def add(self, start: int, content: bytes) -> None:
        """Keep the piece whose first image is `start`."""
        if self.folder is None:
            self._memory[start] = content
        else:
            write_atomically(self._path(self.folder, start), content)

    def read(self, start: int) -> Piece:
        """The piece whose first image is `start`.

        Raises:
          InputError: its file is damaged.
        """
        if self.folder is None:
            return unpack(self._memory[start])
        path = self._path(self.folder, start)
        try:
            return unpack(path.read_bytes())
        except (OSError, ValueError, KeyError) as error:
            raise InputError(
                f"piece {path} cannot be read ({error}): delete it and run the same command again"
            ) from error

    def items(self) -> Iterator[tuple[int, bytes]]:
        """The packed pieces that are kept in memory."""
        return iter(self._memory.items())

    def remove(self) -> None:
        """Delete the folder, now that the result is written."""
        if self.folder is None:
            return
        for path in self.folder.iterdir():
            path.unlink()
        self.folder.rmdir()

    @staticmethod
    def _path(folder: Path, start: int) -> Path:
        return folder / f"piece-{start:09d}.npz"
