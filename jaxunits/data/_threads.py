"""Work in threads, with a bounded number of items at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
_AT_ONCE = 1024


def in_threads(
    function: Callable[[Item], Result], items: Sequence[Item], threads: int | None = None
) -> Iterator[Result]:
    """What `function` returns for each item, in their order, in memory that does not grow."""
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(items), _AT_ONCE):
            # All items at once would be as many futures.
            yield from pool.map(function, items[start : start + _AT_ONCE])
