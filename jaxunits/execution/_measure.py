"""From measurements of a data set to labeled results: pieces, processes, finished files."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from .._arguments import check_path_or_none
from ..networks import Classifier
from ..networks._checks import check_classifier
from ..results import environment
from ._engine import Engine
from ._execution import Execution
from ._files import Files
from ._pieces import Piece, Read, pieces
from ._plan import Enough, Pass, first_batches, timed, trial
from ._processes import agree, share
from ._progress import Progress, Tally, check_progress, reporting
from ._provenance import times
from ._states import Kind, State, States
from ._store import open_store

# Of images on the host: one piece is looked at while the next is read.
_PIECE_BYTES = 2**28


@dataclass(frozen=True, eq=False)
class Measurement:
    """A measurement over the images of a data set.

    A state is what is kept of some images. The states of several parts of the images, merged in any
    way, give what one state of all of them gives, up to the rounding of float64.

    Attributes:
      settings: by result, everything that its numbers depend on.
      compile: from what reads images to what looks at them.
      observe: from what is seen of some images, batch by batch, to their state.
      kind: the state's named tuples as types, in the lists and dictionaries that it has.
      merge: the state of the images of both; None where every piece keeps its own.
      finish: from all states to the results.
      files: where results are kept.
    """

    settings: Mapping[str, Mapping[str, str]]
    compile: Callable[[Read], Engine]
    observe: Callable[[Iterator[Any]], State]
    kind: Kind
    merge: Callable[[State, State], State] | None
    finish: Callable[[Callable[[], Iterator[State]]], Mapping[str, xr.Dataset]]
    files: Files


def check_call(
    network: Classifier, file: str | Path | None, progress: Progress | bool | None
) -> None:
    """Refuse what no measuring function takes.

    Raises:
      InputError: the network is none, the file is no path, or progress is not a function of two
        numbers, False for silence or None for a bar.
    """
    check_progress(progress)
    check_path_or_none(file=file)
    check_classifier(network)


def in_one_pass(
    measurements: Sequence[Measurement],
    read: Read,
    execution: Execution,
    progress: Progress | bool | None,
    title: str,
    *,
    of: str = "images",
    last: bool = True,
) -> list[dict[str, xr.Dataset]]:
    """Measure in one pass over the images, or read the results where files hold them.

    Args:
      measurements: the measurements.
      read: reads the images.
      execution: the execution options.
      progress: called with the images done and the total, after every batch; with steps if an
        image takes several. False for silence, None for a bar in a terminal or notebook.
      title: what is done, for the bar.
      of: what is counted.
      last: whether no other pass builds on this one; a plan ends there.

    Raises:
      InputError: something cannot be measured, or a file holds a result with other settings.
    """
    with reporting(progress, title, of) as report, contextlib.ExitStack() as stack:
        made = [stack.enter_context(each.files.made(each.settings)) for each in measurements]
        works = {
            number: _Work(each, each.compile(read))
            for number, each in enumerate(measurements)
            if made[number] is None
        }
        planned = trial() if works else None
        if planned is not None:
            for work in works.values():
                work.plan(stack, read, execution, planned)
            if last:
                raise Enough
        else:
            whole = ranges(read, execution)
            for work in works.values():
                work.open(stack, whole)
            _work([*works.values()], read, whole, report)
        return [
            works[number].finish(execution) if found is None else found
            for number, found in enumerate(made)
        ]


class _Work:
    """A measurement under way."""

    def __init__(self, asked: Measurement, engine: Engine) -> None:
        self.asked, self.engine = asked, engine
        self.done: set[int] = set()

    def open(self, stack: contextlib.ExitStack, ranges: Sequence[tuple[int, int]]) -> None:
        """Resume from what is done already."""
        first = next(iter(self.asked.settings.values()))
        piece = ranges[0][1] - ranges[0][0] if ranges else 0
        chosen = {key: value for key, value in self.engine.attributes().items() if key == "method"}
        common = {**first, **chosen, "results": ", ".join(self.asked.settings), "piece": piece}
        store = stack.enter_context(open_store(self.asked.files.unfinished, common))
        self.states = States(store, self.asked.kind, self.asked.merge)
        starts = [start for start, _ in ranges]
        self.done = agree(self.states.done(), starts)

    def plan(
        self, stack: contextlib.ExitStack, read: Read, execution: Execution, planned: list[Pass]
    ) -> None:
        """Evaluate the first batches alone, whose state stands for that of all images."""
        engine = self.engine
        first = first_batches(read, engine.batch_size * execution.side_by_side)
        state, seconds = timed(engine, first.piece, self.asked.observe)
        planned.append(Pass.of(self.asked.settings, engine, read, first, seconds))
        self.open(stack, [(0, len(first.piece))])
        self.states.add(0, seconds, engine.attributes(), state)

    def look(self, piece: Piece, report: Callable[[int], None]) -> None:
        """Evaluate a piece that is missing."""
        self.engine.report = report
        began = time.perf_counter()
        start = int(piece.image[0])
        state = self.asked.observe(self.engine.all_seen(piece))
        how = self.engine.attributes()
        self.states.add(start, time.perf_counter() - began, how, state)

    def finish(self, execution: Execution) -> dict[str, xr.Dataset]:
        """The results, kept in files if requested."""
        states, seconds, how = self.states.all()
        timing = times(self.engine.compilations, self.engine.compile_seconds, seconds)
        common = {**how, **environment(execution.places)}
        results = {
            name: result.assign_attrs({**self.asked.settings[name], **common})
            for name, result in self.asked.finish(states).items()
        }
        return self.asked.files.write(results, timing)


def ranges(read: Read, execution: Execution) -> list[tuple[int, int]]:
    """The pieces: whole batches, as they would be with memory enough, of which two can be held."""
    batch = execution.batch_of(read.images) * len(execution.places) * execution.side_by_side
    most = min(execution.images_per_piece, max(1, _PIECE_BYTES // read.image_bytes))
    size = -(-most // batch) * batch
    return [(start, min(start + size, read.images)) for start in range(0, read.images, size)]


def _work(
    works: Sequence[_Work], read: Read, ranges: Sequence[tuple[int, int]], progress: Progress
) -> None:
    """Evaluate every piece that some measurement still needs."""
    if not works:
        return
    everywhere = set.intersection(*(work.done for work in works))
    starts = share([start for start, _ in ranges if start not in everywhere])
    mine = [each for each in ranges if each[0] in starts]
    length = {start: stop - start for start, stop in ranges}

    def steps(work: _Work, pieces: Iterable[int]) -> int:
        return work.engine.steps * sum(length[start] for start in pieces)

    done = sum(steps(work, work.done) for work in works)
    left = sum(steps(work, set(starts) - work.done) for work in works)
    tally = Tally(done, done + left, progress, share=len(works))
    for piece in pieces(read, mine):
        for work in works:
            if int(piece.image[0]) not in work.done:
                work.look(piece, tally.add)
