"""Files appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import time
from pathlib import Path

from .._errors import InputError

_PARTIAL = ".partial"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def write_atomically(path: str | Path, content: bytes | memoryview | str) -> None:
    """Write a file under a temporary name beside its place, then rename it.

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
    temporary = path.parent / f".{path.name}.{secrets.token_hex(4)}{_PARTIAL}"
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


def remove_partial(folder: Path, *, seconds: float = 0) -> None:
    """Remove what kills left of files that were being written into a folder or its subfolders.

    Args:
      folder: where nobody writes now.
      seconds: how old they are at least, where somebody may write.
    """
    before = time.time() - seconds
    for parent, _, names in os.walk(folder):
        for name in names:
            partial = Path(parent, name)
            if name.startswith(".") and name.endswith(_PARTIAL):
                with contextlib.suppress(FileNotFoundError):
                    if partial.stat().st_mtime <= before:
                        partial.unlink()


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
        raise InputError(f"{kind} {path} is no regular file: give the path of one")
    return path.read_bytes()


def no_space(path: Path, size: int, code: int = errno.ENOSPC) -> OSError:
    """The error for `size` bytes that do not fit at `path`."""
    return OSError(
        code,
        f"no space left for {path} ({size:,} bytes): free some space and run the same command "
        "again; what was there before is unchanged",
    )
