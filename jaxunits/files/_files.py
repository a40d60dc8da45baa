"""Files appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import os
import re
import secrets
import socket
from pathlib import Path

from .._errors import InputError

# .NAME.MACHINE-PROCESS.RANDOM.partial
_PARTIAL = ".partial"
_OWNER = re.compile(r"\.([0-9a-f]{8})-([1-9][0-9]{0,8})\.[0-9a-f]{8}\.partial")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def write_atomically(path: str | Path, content: bytes | memoryview | str) -> None:
    """Write a file under a temporary name beside its place, then rename it.

    Leftovers of killed processes of this machine are removed.

    Args:
      path: the file's place; missing parent folders are made.
      content: bytes, or text that is written as UTF-8.

    Raises:
      OSError: nothing could be written. Whatever was at `path` is still there, unchanged, and
        where the disk is full the message says so.
    """
    path = Path(path)
    if "\0" in str(path):
        raise InputError(f"path {str(path)!r} has a null byte: give another one")
    data = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_left_over(path)
    owner = f"{_machine()}-{os.getpid()}"
    temporary = path.parent / f".{path.name}.{owner}.{secrets.token_hex(4)}{_PARTIAL}"
    try:
        # An ordinary new file: the system itself applies the umask and the folder's default rights.
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if error.errno in _FULL:
            raise no_space(path, len(data), error.errno) from error
        raise
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def remove_partial(folder: Path) -> None:
    """Remove what killed processes left of files in a folder or its subfolders.

    Args:
      folder: where no other machine writes now.
    """
    for parent, _, names in os.walk(folder):
        for name in names:
            owner = _OWNER.search(name)
            lives = owner and owner[1] == _machine() and _lives(int(owner[2]))
            if name.startswith(".") and name.endswith(_PARTIAL) and not lives:
                Path(parent, name).unlink(missing_ok=True)


def _remove_left_over(path: Path) -> None:
    """Remove what dead processes of this machine left of a file; others may still be writing."""
    start = f".{path.name}."
    for partial in path.parent.iterdir():
        name = partial.name
        owner = _OWNER.fullmatch(name, len(start) - 1) if name.startswith(start) else None
        if owner and owner[1] == _machine() and not _lives(int(owner[2])):
            partial.unlink(missing_ok=True)


@functools.cache
def _machine() -> str:
    """Of the processes whose numbers can be looked up here: those of the same host or container."""
    names = [socket.gethostname()]
    with contextlib.suppress(OSError):
        names.append(str(Path("/proc/self/ns/pid").readlink()))
    return hashlib.sha256(" ".join(names).encode()).hexdigest()[:8]


def _lives(process: int) -> bool:
    """Whether a process of this machine lives; where that cannot be looked up, it does."""
    if os.name != "posix":
        return True
    try:
        # Signal 0 is not sent.
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def read_regular(path: Path, kind: str) -> bytes:
    """The bytes of a regular file; reading others can wait forever or never end.

    Args:
      path: the file.
      kind: what it should be, for the error.

    Raises:
      InputError: it is a folder, a named pipe or a device.
      OSError: it is missing or must not be read.
    """
    if path.exists() and not path.is_file():
        raise InputError(f"{kind} {path} is not a regular file: give the path of one")
    return path.read_bytes()


def no_space(path: Path, size: int, code: int = errno.ENOSPC) -> OSError:
    """The error for `size` bytes that do not fit at `path`."""
    return OSError(
        code,
        f"no space left for {path} ({size:,} bytes): free some space and repeat the call or "
        "command; what was there before is unchanged",
    )
