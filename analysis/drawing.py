"""Figures drawn at once by several processes, where that is safe."""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

Item = TypeVar("Item")
Drawn = TypeVar("Drawn")

# With threads of their own, which a fork would lack, and with them the locks that they hold.
_THREADED = ("jax", "torch", "tensorflow")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def all_drawn(draw: Callable[[Item], Drawn], items: Sequence[Item]) -> list[Drawn]:
    """What a function draws of each item, in order.

    Args:
      draw: takes an item, and returns what can be pickled; itself need not be.
      items: of what; neither need these.

    Raises:
      ChildProcessError: a process was ended from outside.
    """
    processes = min(len(items), _processors())
    if processes < 2:
        return [draw(item) for item in items]
    # For intervals: otherwise each process would take a tenth of a second to import it.
    importlib.import_module("scipy.special")
    numbers = iter(range(len(items)))
    drawn: dict[int, Drawn] = {}
    busy: dict[Any, int] = {}
    with _forked(processes, lambda number: draw(items[number])) as ready:
        while len(drawn) < len(items):
            # Who is done takes the next, since some take ten times as long as others.
            for connection in ready:
                if (number := next(numbers, None)) is not None:
                    connection.send(number)
                    busy[connection] = number
            ready = wait(list(busy))
            drawn |= {busy.pop(connection): _received(connection) for connection in ready}
    return [drawn[number] for number in range(len(items))]


def _processors() -> int:
    """How many processes may draw: one where this one cannot be forked."""
    if sys.platform != "linux" or any(name in sys.modules for name in _THREADED):
        return 1
    return len(os.sched_getaffinity(0))


@contextlib.contextmanager
def _forked(count: int, draw: Callable[[int], Any]) -> Iterator[list[Any]]:
    """Processes that draw the numbers that they are sent; they end with the context."""
    fork = multiprocessing.get_context("fork")
    connections: list[Connection] = []
    processes = []
    try:
        for _ in range(count):
            ours, theirs = fork.Pipe()
            connections.append(ours)
            with _held():
                process = fork.Process(target=_work, args=(draw, theirs, connections))
                process.start()
                processes.append(process)
            theirs.close()
        yield connections
    finally:
        for process in processes:
            process.kill()
            process.join()


@contextlib.contextmanager
def _held() -> Iterator[None]:
    """Within, signals wait: a new process knows what to do with them a moment later."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(draw: Callable[[int], Any], connection: Connection, others: list[Connection]) -> None:
    # The end of a connection is noticed when nobody else holds it.
    for each in others:
        each.close()
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    # However the process that sends and receives ends: when what is being drawn is done.
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            number = connection.recv()
            try:
                answer: tuple[Any, Exception | None] = draw(number), None
            except Exception as error:  # noqa: BLE001 - raised where it is received
                error.add_note(traceback.format_exc())
                answer = None, error
            connection.send(answer)


def _received(connection: Any) -> Any:
    try:
        drawn, error = connection.recv()
    except EOFError:
        raise ChildProcessError(
            "a process that draws figures was ended from outside, perhaps for want of memory: give "
            "the command again with fewer layers or experiments"
        ) from None
    if error is not None:
        raise error
    return drawn
