"""Weights files of any format, told apart by what is in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from ..._errors import InputError
from ._keras import open_keras
from ._safetensors import open_safetensors
from ._stored import StoredArray, WeightsFile
from ._torch_legacy import open_legacy
from ._torch_zip import open_zip

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
# Pickles of protocol 2 and later.
_PICKLE = b"\x80"
_TAR, _TAR_PLACE = b"ustar", 257
FORMATS = (
    "a PyTorch checkpoint (torch.save(model.state_dict(), path)), a safetensors file, or Keras's "
    ".h5 or .weights.h5"
)


@contextmanager
def opened(path: str | Path) -> Iterator[WeightsFile]:
    """A weights file.

    Raises:
      InputError: there is no such file, it is of no known format, breaks off, or wants to run
        something.
    """
    path = Path(path)
    open_format = _format(path)
    with open_format(path) as arrays:
        yield WeightsFile(path, open_format is open_keras, arrays)


def _format(path: Path) -> Callable[[Path], AbstractContextManager[dict[str, StoredArray]]]:
    if path.is_dir():
        raise InputError(
            f"weights file {path} is a folder: give a file. Networks of run folders are loaded "
            "with ju.networks.restore"
        )
    if not path.exists():
        raise InputError(f"there is no weights file {path}: give the path of {FORMATS}")
    with path.open("rb") as file:
        head = file.read(512)
    if not head:
        raise InputError(f"weights file {path} is empty: fetch it or write it again")
    if head.startswith(_ZIP):
        return open_zip
    if head.startswith(_HDF5):
        return open_keras
    if head[_TAR_PLACE:].startswith(_TAR):
        raise InputError(
            f"weights file {path} is a tar archive, as PyTorch 0.1 wrote checkpoints: unpack it "
            "if it contains a newer one, else load it with PyTorch and save it again: "
            "torch.save(torch.load(path, weights_only=False), new_path)"
        )
    if head.startswith(_PICKLE):
        return open_legacy
    # The length of the header, then the header: a JSON object.
    if head[8:9] == b"{":
        return open_safetensors
    raise InputError(
        f"{path} is not a weights file: it begins with {head[:16]!r}. Give the path of {FORMATS}"
    )
