"""Progress of a measurement: a bar in terminals and notebooks, or the caller's function."""

from __future__ import annotations

import contextlib
import inspect
import threading
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

from .._arguments import check_function_or_none, shown
from .._errors import InputError
from ._plan import trial

Progress = Callable[[int, int], None]


def check_progress(progress: Progress | bool | None) -> None:
    """Refuse anything but a function of two numbers, False for silence and None for a bar."""
    if isinstance(progress, type) or (callable(progress) and not _takes_two(progress)):
        raise InputError(
            f"progress={shown(progress)}: give a function of what is done and what there is in all"
        )
    if progress is not False:
        check_function_or_none(progress=progress)


def _takes_two(function: Callable[..., Any]) -> bool:
    """Whether a function can be called with two arguments; some that are built in do not tell."""
    try:
        inspect.signature(function).bind(0, 0)
    except TypeError:
        return False
    except ValueError:
        return True
    return True


class Tally:
    """Adds up what several threads have done, and reports it when it exceeds every value before."""

    def __init__(self, done: int, total: int, progress: Progress, *, share: int = 1) -> None:
        """Begin.

        Args:
          done: what is done already.
          total: what there is to do.
          progress: told of both, divided by `share`.
          share: how many do the same.
        """
        self._done, self._told, self._total = done, done, total
        self._progress, self._share, self._lock = progress, share, threading.Lock()

    def add(self, done: int) -> None:
        """So much more is done; less than nothing where it is lost again."""
        with self._lock:
            self._done += done
            if self._done > self._told:
                self._told = self._done
                self._progress(self._done // self._share, self._total // self._share)


@contextlib.contextmanager
def reporting(
    progress: Progress | bool | None, title: str, of: str = "images"
) -> Iterator[Progress]:
    """A function of how many are done and the total.

    Args:
      progress: called instead of a bar; False for silence. The bar of None shows in a terminal
        alone, and in a notebook where ipywidgets is installed.
      title: what is done.
      of: what is counted.
    """
    if trial() is not None:
        yield lambda done, total: None
        return
    if callable(progress):
        yield progress
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    # Rich's bar in a notebook is a widget; without ipywidgets it would be a warning.
    visible = find_spec("ipywidgets") if console.is_jupyter else console.is_terminal
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    bar = Bar(
        *columns,
        TextColumn(of),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=progress is not None or not visible,
    )
    with bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def shifted(progress: Progress, number: int, parts: int, size: int | None = None) -> Progress:
    """Progress of one of several parts as progress of all.

    Args:
      progress: told of all.
      number: of the part.
      parts: how many there are.
      size: what each counts as; what there is in it by default.
    """

    def report(done: int, total: int) -> None:
        whole = size or total
        progress(number * whole + done * whole // total, parts * whole)

    return report
