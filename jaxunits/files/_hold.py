"""Locks for what one process at a time works on."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import filelock

from .._errors import InputError, printable

_logger = logging.getLogger(__name__)


@contextlib.contextmanager
def hold(lock: Path, what: str, *, otherwise: str | None = None) -> Iterator[None]:
    """Hold something for this process; the hold ends with the process, however it ends.

    Where another process holds it, a warning in the log says at once which one, and this one waits.

    Args:
      lock: the lock file; a note beside it says who holds it. Both are removed at the end.
      what: what is held, such as `"measurement conv3.nc"`.
      otherwise: advice on what to do instead of waiting; None to wait.

    Raises:
      InputError: another process holds it, and `otherwise` is given.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    note = lock.with_name(f"{lock.name}.holder")
    held = filelock.FileLock(lock)
    try:
        held.acquire(timeout=0)
    except filelock.Timeout as error:
        in_use = printable(f"{what} is in use by {_holder(note)}")
        if otherwise is not None:
            raise InputError(f"{in_use}: {otherwise}") from error
        _logger.warning("%s: waiting for it to end", in_use)
        held.acquire(timeout=-1)
    try:
        since = datetime.now(UTC).isoformat(timespec="seconds")
        note.write_text(f"process {os.getpid()} on {platform.node()} since {since}")
        yield
    finally:
        note.unlink(missing_ok=True)
        # While it is held: whoever has opened it already sees that it is gone, and tries again.
        with contextlib.suppress(OSError):
            lock.unlink(missing_ok=True)
        held.release()


def _holder(note: Path) -> str:
    """Who wrote a note; it is missing for a moment after a hold has begun."""
    try:
        return note.read_text(errors="replace")[:200] or "another process"
    except OSError:
        return "another process"
