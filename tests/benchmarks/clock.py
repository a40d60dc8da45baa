"""Seconds of calls, steady."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def clocked(function: Callable[[], object], at_least: float = 1.0) -> float:
    """Steady wall-clock seconds of a call."""

    def once() -> float:
        started = time.perf_counter()
        function()
        return time.perf_counter() - started

    return steady(once, at_least)


def steady(seconds: Callable[[], float], at_least: float = 1.0) -> float:
    """The median of as many calls as last a second, or `at_least` so many; at least one call.

    The first call after another library's work is slow while its threads come to rest.
    """
    found = [seconds()]
    while sum(found) < at_least:
        found.append(seconds())
    return statistics.median(found)
