"""Folders that cannot be written to, for root as well, whom the system lets write anywhere."""

import contextlib
import errno
import os
import sys

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_CHANGES = {"os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.utime", "os.chmod"}
_closed = []


def _refuse(event, arguments):
    """Refuse what would change a closed folder, as Python is about to ask the system for it."""
    if not _closed or not (event in _CHANGES or (event == "open" and arguments[2] & _WRITING)):
        return
    path = os.fspath(arguments[0]) if isinstance(arguments[0], str | os.PathLike) else ""
    if any(path.startswith(folder) for folder in _closed):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)


# Hooks stay for as long as the process lives.
sys.addaudithook(_refuse)


@contextlib.contextmanager
def read_only(folder):
    """Within, Python writes nothing into a folder; what C libraries do is not seen."""
    _closed.append(str(folder))
    try:
        yield
    finally:
        _closed.remove(str(folder))
