"""What the first and the second call of a function take: seconds, programs, and memory."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import jax
import xarray as xr


@dataclass(frozen=True)
class Calls:
    """Two equal calls, one after the other.

    Attributes:
      seconds: of each.
      compiling: of each, the seconds of every program that XLA compiled.
      accounted: bytes that the library's programs hold at most, by the compiler's account.
      before: bytes in use on the device before the first; None where it does not say.
      peak: the most bytes in use on the device since it was started; None where it does not say.
    """

    seconds: tuple[float, float]
    compiling: tuple[list[float], list[float]]
    accounted: int
    before: int | None
    peak: int | None


def called_twice(function: Callable[[], xr.Dataset]) -> Calls:
    """Call a function twice whose result says `peak_bytes`."""
    before = memory("bytes_in_use")
    seconds, compiling = [], []
    for _ in range(2):
        with compilations() as programs:
            started = time.perf_counter()
            result = function()
            seconds.append(time.perf_counter() - started)
        compiling.append(programs)
    return Calls(
        seconds=(seconds[0], seconds[1]),
        compiling=(compiling[0], compiling[1]),
        accounted=int(result.attrs["peak_bytes"]),
        before=before,
        peak=memory("peak_bytes_in_use"),
    )


def memory(name: str) -> int | None:
    """What the first device says of its memory."""
    found = (jax.devices()[0].memory_stats() or {}).get(name)
    return None if found is None else int(found)


@contextlib.contextmanager
def compilations() -> Iterator[list[float]]:
    """Seconds of every program that is compiled, or read from a cache of them, meanwhile."""
    found: list[float] = []

    def add(event: str, duration_secs: float, **_: str | int) -> None:
        if event.endswith("backend_compile_duration"):
            found.append(duration_secs)

    jax.monitoring.register_event_duration_secs_listener(add)
    try:
        yield found
    finally:
        jax.monitoring.unregister_event_duration_listener(add)
