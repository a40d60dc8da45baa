"""From a question to a labelled result: pieces, processes, the finished file."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax
import xarray as xr

from .._kinds import checks_kinds
from .._processes import agree, share
from ..data import Dataset
from ..networks import Classifier
from ..results import environment, raise_if_different, read, read_json, write, write_json
from ._engine import Engine
from ._execution import Execution
from ._pieces import join, pack, unpack
from ._question import Question
from ._store import Store, held, open_store, remove
from ._tally import Counts, tally

Progress = Callable[[int, int], None]


def measure(
    network: Classifier,
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
    with held(path, path):
        # Whoever was waited for has made it.
        if path is not None and path.exists():
            return finished(path, settings)
        engine = Engine(network, question, data, execution)
        folder = None if path is None else path.with_suffix(".pieces")
        common = {**settings, "path": engine.program.path.name, "piece": _piece_size(engine)}
        with open_store(folder, common) as store:
            _work(engine, store, data, progress)
            counts = _counts(engine, store, data, len(question.masks))
            attributes = {
                **settings,
                **engine.attributes(),
                "repeated_share": counts.repeated / max(1, len(data)),
                **environment(execution.places),
            }
            result = label(counts, attributes)
            timing = {
                "programs": engine.compilations,
                "compile_seconds": round(engine.compile_seconds, 3),
                "run_seconds": round(counts.seconds, 3),
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
            }
            if path is not None and jax.process_index() == 0:
                write_json(_timing(path), timing)
                write(result, path)
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
    # A kill between writing the result and removing its pieces leaves them behind.
    if jax.process_index() == 0:
        remove(path.with_suffix(".pieces"))
    return result


@checks_kinds
def read_result(file: str | Path) -> xr.Dataset:
    """The result that a sweep left in a file, with how long it took as attributes.

    Raises:
      FileNotFoundError: there is no such file.
      InputError: the file, or that of the times, was damaged since it was written.
    """
    path = Path(file)
    result = read(path)
    timing = _timing(path)
    if not timing.exists():
        return result
    way_out = "delete it; how long the measurement took is lost then, and nothing else"
    return result.assign_attrs(read_json(timing, "no times", way_out=way_out))


def _timing(path: Path) -> Path:
    """Where the times are: apart, so that equal measurements make equal files."""
    return path.with_suffix(".timing.json")


def _piece_size(engine: Engine) -> int:
    """Images of a piece: whole batches."""
    batch = engine.first_batch_size
    return -(-engine.execution.images_per_piece // batch) * batch


def _starts(engine: Engine, data: Dataset) -> list[int]:
    return list(range(0, len(data), _piece_size(engine)))


def _counts(engine: Engine, store: Store, data: Dataset, rows: int) -> Counts:
    """What all pieces say together, those of other processes too."""
    store.exchange()
    starts = _starts(engine, data)
    return tally(lambda: (unpack(store[start]) for start in starts), rows, len(data.class_names))


def _work(engine: Engine, store: Store, data: Dataset, progress: Progress | None) -> None:
    """Make every piece that is missing."""
    starts, size = _starts(engine, data), _piece_size(engine)
    ready = agree({start for start in starts if start in store}, starts)
    mine = share([start for start in starts if start not in ready])
    length = {start: min(start + size, len(data)) - start for start in starts}
    done = sum(length[start] for start in ready)
    total = done + sum(length[start] for start in mine)
    for start in mine:
        began = time.perf_counter()
        answers, repeated = [], engine.repeated
        for part in engine.answers(start, start + length[start]):
            answers.append(part)
            done += len(part.labels)
            if progress is not None:
                progress(done, total)
        piece = join(answers, engine.repeated - repeated, time.perf_counter() - began)
        store[start] = pack(piece, len(data.class_names))
