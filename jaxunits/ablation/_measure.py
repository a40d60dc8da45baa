"""From a question to a labelled result: pieces, processes, the finished file."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr

from ..data import Dataset
from ..networks import Functional
from ..results import environment, raise_if_different, read, write, write_atomically
from ._engine import Engine
from ._execution import Execution
from ._paths import Question
from ._pieces import Piece, Pieces, join, pack, unpack
from ._processes import agree, exchange, share, wait
from ._tally import Counts, tally

Progress = Callable[[int, int], None]
_IMAGES_PER_PIECE = 512


def measure(
    network: Functional,
    question: Question,
    data: Dataset,
    execution: Execution,
    *,
    settings: Mapping[str, str],
    label: Callable[[Counts, Mapping[str, Any]], xr.Dataset],
    file: str | Path | None,
    progress: Progress | None,
) -> xr.Dataset:
    """Answer a question, or read the answer where a file holds it.

    Args:
      network: the network.
      question: the masks.
      data: the images.
      execution: how it is carried out.
      settings: what the numbers depend on.
      label: makes the result of counts and attributes.
      file: where the result is kept, and beside it what is done so far.
      progress: called with the images done and in all, after every batch.

    Raises:
      InputError: the question cannot be answered, or the file holds another one's answer.
    """
    settings = {**settings, "precision": execution.precision}
    path = None if file is None else Path(file)
    if path is not None and path.exists():
        return finished(path, settings)
    engine = Engine(network, question, data, execution)
    pieces = _open(path, engine, settings)
    started = time.perf_counter()
    _work(engine, pieces, data, progress)
    counts, repeated, seconds = _collect(engine, pieces, data, len(question.masks))
    attributes = {**settings, **engine.attributes(repeated / max(1, len(data)))}
    result = label(counts, {**attributes, **environment(execution.places)})
    elapsed = seconds if path is not None else time.perf_counter() - started
    timing = {
        "compile_seconds": round(engine.compile_seconds, 3),
        "run_seconds": round(elapsed, 3),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    if path is not None:
        _finish(path, result, timing, pieces)
    return result.assign_attrs(timing)


def finished(path: Path, settings: Mapping[str, str]) -> xr.Dataset:
    """The result of a file, with how long it took.

    Raises:
      InputError: it was measured with other settings, every difference named, or is damaged.
    """
    result = read_result(path)
    raise_if_different(
        {key: result.attrs.get(key) for key in settings},
        settings,
        place=f"measurement {path}",
        way_out="Give the same settings, another file, or delete this one to measure again",
    )
    return result


def read_result(file: str | Path) -> xr.Dataset:
    """The result that a sweep left in a file, with how long it took as attributes.

    Raises:
      FileNotFoundError: there is no such file.
      InputError: the file is truncated or not netCDF.
    """
    path = Path(file)
    result = read(path)
    timing = _timing(path)
    return result.assign_attrs(json.loads(timing.read_text()) if timing.exists() else {})


def _timing(path: Path) -> Path:
    """Where the times are: apart, so that equal measurements make equal files."""
    return path.with_suffix(".timing.json")


def _open(path: Path | None, engine: Engine, settings: Mapping[str, str]) -> Pieces:
    folder = None if path is None else path.with_suffix(".pieces")
    common = {
        **settings,
        "path": engine.program.path.name,
        "images_per_piece": _piece_size(engine),
    }
    if jax.process_index() == 0:
        pieces = Pieces(folder, common)
        wait("pieces")
        return pieces
    wait("pieces")
    return Pieces(folder, common)


def _piece_size(engine: Engine) -> int:
    batch = engine.first_batch_size
    return -(-_IMAGES_PER_PIECE // batch) * batch


def _starts(engine: Engine, data: Dataset) -> list[int]:
    return list(range(0, len(data), _piece_size(engine)))


def _work(engine: Engine, pieces: Pieces, data: Dataset, progress: Progress | None) -> None:
    """Make every piece that is missing."""
    starts, size = _starts(engine, data), _piece_size(engine)
    ready = agree({start for start in starts if start in pieces}, starts)
    mine = share([start for start in starts if start not in ready])
    length = {start: min(start + size, len(data)) - start for start in starts}
    done = sum(length[start] for start in ready)
    total = done + sum(length[start] for start in mine)
    for start in mine:
        began = time.perf_counter()
        answers = []
        for part in engine.answers(start, start + length[start]):
            answers.append(part)
            done += len(part.labels)
            if progress is not None:
                progress(done, total)
        piece = join(answers, engine.take_repeated(), time.perf_counter() - began)
        pieces.add(start, pack(piece, len(data.class_names)))


def _collect(engine: Engine, pieces: Pieces, data: Dataset, rows: int) -> tuple[Counts, int, float]:
    """Counts over all pieces, images repeated, and seconds of all pieces."""
    starts = _starts(engine, data)
    if pieces.folder is None:
        everybody = exchange(pieces.items())

        def each() -> Sequence[Piece] | Any:
            return (unpack(everybody[start]) for start in starts)
    else:
        wait("pieces done")

        def each() -> Sequence[Piece] | Any:
            return (pieces.read(start) for start in starts)

    counts = tally(each, rows, len(data.class_names))
    kept = [(piece.repeated, piece.seconds) for piece in each()]
    return counts, sum(item[0] for item in kept), float(np.sum([item[1] for item in kept]))


def _finish(path: Path, result: xr.Dataset, timing: Mapping[str, Any], pieces: Pieces) -> None:
    if jax.process_index() == 0:
        write_atomically(_timing(path), json.dumps(dict(timing), indent=2) + "\n")
        write(result, path)
        pieces.remove()
    wait("result written")
