"""PyTorch checkpoints since 1.6: a zip archive with a pickle and one entry for each storage."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from ..._errors import InputError
from ._pickle import Storage, read_pickle
from ._stored import StoredArray, damaged
from ._tensors import storage_dtype, stored_tensors

_ENCRYPTED = 1


@contextmanager
def open_zip(path: Path) -> Iterator[dict[str, StoredArray]]:
    """The arrays of a checkpoint.

    Raises:
      InputError: it is another archive, breaks off, or wants to run something.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise damaged(path, f"the end of the archive is missing ({error})") from error
    with archive:
        yield stored_tensors(*_content(archive, path))


def _content(archive: zipfile.ZipFile, path: Path) -> tuple[Any, Any, Path]:
    folder = _folder(archive.namelist(), path)
    if f"{folder}/byteorder" in archive.namelist():
        order = _entry(archive, f"{folder}/byteorder", path).strip()
        if order != b"little":
            raise InputError(
                f"weights file {path} has byte order {order.decode('latin1')!r}: load it with "
                "PyTorch and save it on a machine with little-endian numbers"
            )
    content = read_pickle(io.BytesIO(_entry(archive, f"{folder}/data.pkl", path)), path)

    # Arrays that share a storage come one after another.
    @lru_cache(maxsize=1)
    def numbers(key: str, count: int, dtype: str) -> Shaped[np.ndarray, ...]:
        data = _entry(archive, f"{folder}/data/{key}", path)
        expected = count * storage_dtype(dtype).itemsize
        if len(data) != expected:
            raise damaged(path, f"storage {key!r} has {len(data)} bytes instead of {expected}")
        return np.frombuffer(data, storage_dtype(dtype))

    def read(storage: Storage) -> Shaped[np.ndarray, ...]:
        return numbers(storage.key, storage.count, storage.dtype)

    return content, read, path


def _folder(names: list[str], path: Path) -> str:
    """The folder that everything in the archive lies in."""
    folders = [name.rpartition("/")[0] for name in names if name.count("/") == 1]
    pickled = [folder for folder in folders if f"{folder}/data.pkl" in names]
    if not pickled:
        kind = "a Keras model" if "model.weights.h5" in names else "another kind of archive"
        raise InputError(
            f"weights file {path} is {kind} instead of a PyTorch checkpoint: give one of "
            "torch.save(model.state_dict(), path), a safetensors file, or a file of Keras's "
            "model.save_weights('x.weights.h5')"
        )
    if f"{pickled[0]}/constants.pkl" in names:
        raise InputError(
            f"weights file {path} is a TorchScript program: load it with torch.jit.load and save "
            "its arrays alone: torch.save(model.state_dict(), path)"
        )
    return pickled[0]


def _entry(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    """The bytes of an entry, which has to be stored as it is."""
    try:
        entry = archive.getinfo(name)
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & _ENCRYPTED:
            raise InputError(
                f"weights file {path}: entry {name!r} is compressed or encrypted, which PyTorch "
                "does not do. Save the weights again with PyTorch"
            )
        if entry.file_size != entry.compress_size or entry.file_size > path.stat().st_size:
            raise damaged(path, f"entry {name!r} claims {entry.file_size} bytes")
        return archive.read(entry)
    except KeyError as error:
        raise damaged(path, f"entry {name!r} is missing") from error
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError) as error:
        raise damaged(path, f"entry {name!r} cannot be read ({error})") from error
