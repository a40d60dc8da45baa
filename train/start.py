"""Interrupts and limits; imports the standard library alone, so that it loads at once."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

STOPPED = "stopped: the same command resumes from here"
# What the shell says of a program that Ctrl-C ended.
STOPPED_STATUS = 128 + signal.SIGINT
# JAX, Orbax and the image readers have some 100 open at once.
_FEWEST_FILES = 256


def start_program() -> None:
    """Before the libraries are imported: interrupts end the program, and enough files can be open.

    While libraries are imported there is nothing to clean up, and an exception would come out of
    any of them. `stoppable` gives interrupts back to Python. Nor is there garbage: looking for it
    would take a tenth of that time.
    """
    gc.disable()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    problem = _raise_file_limit()
    if problem:
        sys.stderr.write(f"error: {problem}\n")
        sys.exit(2)


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Within, Ctrl-C and SIGTERM, which clusters send, raise KeyboardInterrupt."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.default_int_handler) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def end_program(status: int) -> NoReturn:
    """End with a status: from here on nothing can be interrupted.

    Python gives signals back to the system while it ends, and that would end it with another.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # The system takes all memory at once: it need not be looked through for garbage before.
    gc.freeze()
    sys.exit(status)


def _leave(number: int, frame: FrameType | None) -> None:
    os.write(1, f"{STOPPED}\n".encode())
    os._exit(STOPPED_STATUS)


def _raise_file_limit() -> str | None:
    """Let enough files be open at once; what is wrong where the system does not allow it."""
    if sys.platform == "win32":
        return None
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    if soft == unlimited or soft >= _FEWEST_FILES:
        return None
    if hard != unlimited and hard < _FEWEST_FILES:
        return (
            f"this process may have {hard} files open at once, and at least {_FEWEST_FILES} are "
            f"needed: raise the limit (ulimit -n {_FEWEST_FILES})"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (_FEWEST_FILES, hard))
    return None
