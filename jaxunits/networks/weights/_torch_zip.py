"""PyTorch checkpoints since 1.6: a zip archive with a pickle and one entry for each storage."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from ..._errors import InputError
from ._pickle import MOST_BYTES, read_pickle
from ._pickle_names import Storage
from ._stored import StoredArray, check_number_of_arrays, damaged, printable, shortened
from ._tensors import storage_dtype, stored_tensors

_ENCRYPTED = 1
# What zipfile raises for damaged archives: names of bad bytes are ValueErrors, versions and kinds
# of compression that it does not know NotImplementedErrors, the rest RuntimeErrors.
_DAMAGED = (
    zipfile.BadZipFile,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
    struct.error,
    OverflowError,
)


@contextmanager
def open_zip(path: Path, entry: str | None = None) -> Iterator[dict[str, StoredArray]]:
    """The arrays of a checkpoint; `entry` is as for `weights_entry`.

    Raises:
      InputError: it is another archive, is truncated, or would execute something.
    """
    try:
        archive = zipfile.ZipFile(path)
    except _DAMAGED as error:
        raise damaged(path, f"its archive cannot be read ({error})") from error
    with archive:
        yield stored_tensors(*_content(archive, path), path, entry)


def _content(archive: zipfile.ZipFile, path: Path) -> tuple[Any, Any]:
    names = archive.namelist()
    check_number_of_arrays(len(names), path)
    folder = _folder(dict.fromkeys(names), path)
    if f"{folder}/byteorder" in names:
        order = _entry(archive, f"{folder}/byteorder", path).strip()
        if order != b"little":
            raise InputError(
                f"weights file {path} has byte order '{printable(order.decode('latin1'))}': load "
                "it with PyTorch and save it on a machine with little-endian numbers"
            )
    pickled = _entry(archive, f"{folder}/data.pkl", path, MOST_BYTES)
    content = read_pickle(io.BytesIO(pickled), path).content

    # Arrays that share a storage come one after another.
    @lru_cache(maxsize=1)
    def numbers(key: str, count: int, dtype: str) -> Shaped[np.ndarray, ...]:
        data = _entry(archive, f"{folder}/data/{key}", path)
        expected = count * storage_dtype(dtype).itemsize
        if len(data) != expected:
            name = shortened(key)
            raise damaged(path, f"storage {name!r} has {len(data)} bytes instead of {expected}")
        return np.frombuffer(data, storage_dtype(dtype))

    def read(storage: Storage) -> Shaped[np.ndarray, ...]:
        return numbers(storage.key, storage.count, storage.dtype)

    return content, read


def _folder(names: Collection[str], path: Path) -> str:
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


def _entry(archive: zipfile.ZipFile, name: str, path: Path, most: int | None = None) -> bytes:
    """The bytes of an entry, which has to be stored as it is."""
    shown = printable(name)
    try:
        entry = archive.getinfo(name)
    except KeyError as error:
        raise damaged(path, f"entry '{shown}' is missing") from error
    if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & _ENCRYPTED:
        raise InputError(
            f"weights file {path}: entry '{shown}' is compressed or encrypted, which PyTorch "
            "does not do. Save the weights again with PyTorch"
        )
    limit = path.stat().st_size if most is None else min(most, path.stat().st_size)
    if entry.file_size != entry.compress_size or entry.file_size > limit:
        raise damaged(path, f"entry '{shown}' claims {entry.file_size} bytes")
    try:
        return archive.read(entry)
    except _DAMAGED as error:
        raise damaged(path, f"entry '{shown}' cannot be read ({error})") from error
