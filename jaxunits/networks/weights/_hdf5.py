"""Untrusted HDF5 files: members, attributes and datasets that lie in the file itself."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Shaped

from ._stored import StoredArray, check_number_of_arrays, damaged, shortened

# What h5py raises for damaged files: OSError and RuntimeError as HDF5 says it, KeyError for objects
# that are not where a link points, TypeError and ValueError for types of numbers that NumPy lacks
# and names of bad bytes.
DAMAGED = (OSError, RuntimeError, LookupError, TypeError, ValueError)
_MOST_TEXT = 2**20
# A chunk is decompressed as a whole, whatever is read of it.
_MOST_CHUNK = 2**24


def group(parent: Any, name: str, path: Path) -> Any:
    """A group below another one.

    Raises:
      InputError: there is none, or something else.
    """
    found = member(parent, name, path)
    if not isinstance(found, h5py.Group):
        raise damaged(path, f"{shortened(name)!r} is not a group")
    return found


def member(parent: Any, name: str, path: Path) -> Any:
    """What a group has under a name, which may lead through other groups.

    Links to other files are not followed: opening what they name can wait forever.

    Raises:
      InputError: there is nothing, or a link to elsewhere.
    """
    found = parent
    for part in filter(None, name.split("/")):
        if not isinstance(found, h5py.Group) or part not in found:
            raise damaged(path, f"{shortened(name)!r} is missing")
        if not isinstance(found.get(part, getlink=True), h5py.HardLink):
            raise damaged(path, f"{shortened(name)!r} is a link, and links are not followed")
        found = found[part]
    return found


def text(holder: Any, name: str, path: Path) -> str:
    """An attribute that is one text.

    Raises:
      InputError: it is something else.
    """
    value = _attribute(holder, name, path)
    if isinstance(value, bytes):
        return value.decode()
    if not isinstance(value, str):
        raise damaged(path, f"attribute {name!r} of {shortened(holder.name)!r} is not a text")
    return value


def texts(holder: Any, name: str, path: Path) -> list[str]:
    """An attribute that is a list of texts.

    Raises:
      InputError: it is something else.
    """
    values = _attribute(holder, name, path)
    # Keras gives a layer without weights an empty list of numbers.
    if not isinstance(values, np.ndarray) or values.ndim != 1:
        raise damaged(path, f"attribute {name!r} of {shortened(holder.name)!r} is not a list")
    check_number_of_arrays(len(values), path)
    words = values.tolist()
    if not all(isinstance(word, str | bytes) for word in words):
        raise damaged(path, f"attribute {name!r} of {shortened(holder.name)!r} holds no texts")
    return [word.decode() if isinstance(word, bytes) else word for word in words]


def _attribute(holder: Any, name: str, path: Path) -> Any:
    if name not in holder.attrs:
        raise damaged(path, f"attribute {name!r} of {shortened(holder.name)!r} is missing")
    head = holder.attrs.get_id(name)
    if head.shape is None:
        return None
    # Memory for all of it is taken before any of it is read.
    if math.prod(head.shape) * head.dtype.itemsize > _MOST_TEXT:
        raise damaged(path, f"attribute {name!r} of {shortened(holder.name)!r} is too large")
    return holder.attrs[name]


def stored(dataset: Any, path: Path) -> StoredArray:
    """A dataset whose numbers are all in the file.

    Raises:
      InputError: some are elsewhere or nowhere, or chunks far larger than the dataset.
    """
    name = shortened(dataset.name)
    # Others take their numbers from other files.
    if dataset.is_virtual or dataset.external:
        raise damaged(path, f"{name!r} is not an array of this file")
    if dataset.shape is None:
        raise damaged(path, f"{name!r} has no shape")
    if dataset.chunks and math.prod(dataset.chunks) * dataset.dtype.itemsize > max(
        _MOST_CHUNK, 2 * dataset.nbytes
    ):
        raise damaged(path, f"{name!r} has chunks of {list(dataset.chunks)} numbers")
    if not _is_whole(dataset):
        raise damaged(path, f"the numbers of {name!r} were never written")

    def read() -> Shaped[np.ndarray, ...]:
        try:
            return dataset[()]
        except DAMAGED as error:
            raise damaged(path, f"{name!r}: {error}") from error

    return StoredArray(tuple(dataset.shape), dataset.dtype.name, read)


def _is_whole(dataset: Any) -> bool:
    """Whether every number has a place in the file; HDF5 reads others as zeros."""
    if dataset.chunks is None:
        return dataset.id.get_storage_size() >= dataset.nbytes
    sides = zip(dataset.shape, dataset.chunks, strict=True)
    return dataset.id.get_num_chunks() >= math.prod(-(-side // step) for side, step in sides)
