"""Weights files of any format, recognized by content."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from ..._errors import InputError
from ..._optional import check_installed
from ._given import given_arrays
from ._safetensors import open_safetensors
from ._stored import StoredArray, WeightsFile
from ._torch_legacy import open_legacy
from ._torch_zip import open_zip

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
# Pickles of protocol 2 and later begin with its number.
_PICKLES = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))
_TAR, _TAR_PLACE = b"ustar", 257
# What the safetensors library allows.
_LONGEST_HEADER = 100_000_000
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
FORMATS = (
    "a PyTorch checkpoint (torch.save(model.state_dict(), path)), a safetensors file, or Keras's "
    ".h5 or .weights.h5"
)


@contextmanager
def opened(
    source: str | Path | Mapping[str, Any], entry: str | None = None
) -> Iterator[WeightsFile]:
    """A weights file, or a dictionary of arrays in its place.

    Args:
      source: the file's path, or the dictionary.
      entry: which part of a PyTorch checkpoint holds the weights, see `weights_entry`.

    Raises:
      InputError: there is no such file, it has no known format, is truncated, would execute
        something, or has no such entry.
    """
    if isinstance(source, Mapping):
        yield WeightsFile("the state dict", False, given_arrays(source, entry))
        return
    path = Path(source)
    open_format = _format(path)
    if open_format in (open_zip, open_legacy):
        open_format = partial(open_format, entry=entry)
    elif entry is not None:
        raise InputError(
            f"weights file {path} has no entries, which PyTorch's checkpoints alone have: leave "
            f"out entry={entry!r}"
        )
    with open_format(path) as arrays:
        yield WeightsFile(f"weights file {path}", open_format is _open_keras, arrays)


def _format(path: Path) -> Callable[[Path], AbstractContextManager[dict[str, StoredArray]]]:
    size = _size(path)
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise _unreadable(path, error) from error
    if not head:
        raise InputError(f"weights file {path} is empty: download it or write it again")
    # First, because the length of the header can have the bytes that others begin with.
    if _is_safetensors(head, size):
        return open_safetensors
    if head.startswith(_ZIP):
        return open_zip
    if head.startswith(_HDF5):
        return _open_keras
    if head[_TAR_PLACE:].startswith(_TAR):
        raise InputError(
            f"weights file {path} is a tar archive, as PyTorch 0.1 wrote checkpoints: unpack it "
            "if it contains a newer one, otherwise load it with PyTorch and save it again: "
            "torch.save(torch.load(path, weights_only=False), new_path)"
        )
    if head.startswith(_PICKLES):
        return open_legacy
    # With a damaged length.
    if head[8:9] == b"{":
        return open_safetensors
    raise InputError(
        f"{path} is not a weights file: it begins with {head[:16]!r}. Give the path of {FORMATS}"
    )


def _open_keras(path: Path) -> AbstractContextManager[dict[str, StoredArray]]:
    check_installed("h5py", "keras", f"weights file {path}")
    from ._keras import open_keras

    return open_keras(path)


def _is_safetensors(head: bytes, size: int) -> bool:
    """Whether a file begins with the length of a header and a header, a JSON object.

    A header that is longer than its file has been cut off.
    """
    length = int.from_bytes(head[:8], "little")
    return head[8:9] == b"{" and length <= max(_LONGEST_HEADER, size - 8)


def _size(path: Path) -> int:
    """The size of a regular file; opening others can wait forever or never end."""
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise InputError(f"there is no weights file {path}: give the path of {FORMATS}") from error
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    if stat.S_ISDIR(status.st_mode):
        raise InputError(
            f"weights file {path} is a folder: give a file. Networks of run folders are loaded "
            "with ju.networks.restore"
        )
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "not a regular file")
        raise InputError(
            f"weights file {path} is {kind}: write what it gives to a regular file and give that"
        )
    return status.st_size


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(
        f"weights file {str(path)!r} cannot be read ({error}): give the path of {FORMATS}"
    )
