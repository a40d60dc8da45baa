"""A bar of images done."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_SECONDS_BETWEEN_LINES = 30
T = TypeVar("T")


@contextlib.contextmanager
def image_bar(
    console: Console,
    title: str,
    *,
    of: str = "images",
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Callable[[int, int], None]]:
    """Give a function of images done and in all that moves a bar on a terminal.

    Elsewhere a line now and then says how far it is, and one when it is done.

    Args:
      console: where to print.
      title: what is being done.
      of: what is counted.
      clock: seconds that have passed.
    """
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(of),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    said = clock()
    begun: tuple[float, int] | None = None

    def show(done: int, total: int) -> None:
        nonlocal said, begun
        bar.update(task, completed=done, total=total)
        now = clock()
        # What was done before this run says nothing about its speed.
        begun = begun or (now, done)
        if console.is_terminal or now - said < _SECONDS_BETWEEN_LINES or done == begun[1]:
            return
        said = now
        left = (now - begun[0]) / (done - begun[1]) * (total - done)
        console.print(f"{title}: {done:,} of {total:,} {of}, {left:,.0f} s left")

    with bar:
        task = bar.add_task(title, total=None)
        yield show
    console.print(f"{title}: done")


def each_with_bar(console: Console, title: str, items: Collection[T], *, of: str) -> Iterator[T]:
    """Items one after another, with a bar that moves when the next one is asked for."""
    with image_bar(console, title, of=of) as progress:
        for number, item in enumerate(items):
            yield item
            progress(number + 1, len(items))
