"""How far a measurement is: a bar where somebody looks, or a function of the caller's."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from .._arguments import check_function_or_none

Progress = Callable[[int, int], None]


def check_progress(progress: Progress | bool | None) -> None:
    """Refuse what is neither a function, nor False for silence, nor None for a bar."""
    if progress is not False:
        check_function_or_none(progress=progress)


@contextlib.contextmanager
def reporting(
    progress: Progress | bool | None, title: str, of: str = "images"
) -> Iterator[Progress]:
    """A function of how many are done and in all.

    Args:
      progress: called instead of a bar; False for silence. The bar of None shows in a terminal or a
        notebook alone.
      title: what is done.
      of: what is counted.
    """
    if callable(progress):
        yield progress
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    shown = progress is None and (console.is_terminal or console.is_jupyter)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    bar = Bar(
        *columns,
        TextColumn(of),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not shown,
    )
    with bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
