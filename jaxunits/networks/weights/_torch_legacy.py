"""PyTorch checkpoints before 1.6: a stream of pickles, then the storages one after another."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from ..._errors import InputError
from ._pickle import Storage, Tensor, read_pickle
from ._stored import StoredArray, damaged
from ._tensors import storage_dtype, stored_tensors

MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001


@contextmanager
def open_legacy(path: Path) -> Iterator[dict[str, StoredArray]]:
    """The arrays of a checkpoint.

    Raises:
      InputError: it is another pickle, breaks off, or wants to run something.
    """
    with path.open("rb") as file:
        if read_pickle(file, path) != MAGIC:
            raise InputError(
                f"weights file {path} is a pickle that PyTorch did not write: give a file of "
                "torch.save(model.state_dict(), path)"
            )
        if (protocol := read_pickle(file, path)) != _PROTOCOL:
            raise InputError(f"weights file {path} has PyTorch's unknown protocol {protocol!r}")
        # The machine that wrote it; numbers are little-endian whatever it was.
        read_pickle(file, path)
        content = read_pickle(file, path)
        keys = read_pickle(file, path)
        places = _places(file, keys, _counted(content), path)

        def read(storage: Storage) -> Shaped[np.ndarray, ...]:
            place, size = places[storage.key]
            # A pickle can speak of one storage twice, each time in another way.
            if _bytes(storage) != size:
                raise damaged(path, f"storage {storage.key!r} has two sizes")
            file.seek(place)
            return np.frombuffer(file.read(size), storage_dtype(storage.dtype))

        yield stored_tensors(content, read, path)


def _counted(content: Any) -> dict[str, Storage]:
    """All storages that an object speaks of, by their keys."""
    found: dict[str, Storage] = {}
    # Objects of a pickle can contain themselves.
    seen: set[int] = set()
    waiting = [content]
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, Tensor):
            item = item.storage
        if isinstance(item, Storage):
            found[item.key] = item
        elif isinstance(item, dict):
            waiting += item.values()
        elif isinstance(item, list | tuple | set | frozenset):
            waiting += item
    return found


def _places(
    file: BufferedIOBase, keys: Any, storages: dict[str, Storage], path: Path
) -> dict[str, tuple[int, int]]:
    """Where in the file the numbers of each storage begin, and how many bytes they take."""
    end = path.stat().st_size
    places: dict[str, tuple[int, int]] = {}
    if not isinstance(keys, list):
        raise damaged(path, "the list of its storages is missing")
    for key in map(str, keys):
        if key not in storages:
            raise damaged(path, f"storage {key!r} is of an unknown type")
        head = file.read(8)
        place = file.tell()
        storage = storages[key]
        size = _bytes(storage)
        if len(head) < 8 or place + size > end:
            raise damaged(path, f"storage {key!r} of {size} bytes ends behind the file's end")
        if struct.unpack("<q", head)[0] != storage.count:
            raise damaged(path, f"storage {key!r} has another size than the file says")
        places[key] = place, size
        file.seek(place + size)
    if missing := storages.keys() - places.keys():
        raise damaged(path, f"storage {min(missing)!r} is missing")
    return places


def _bytes(storage: Storage) -> int:
    return storage.count * storage_dtype(storage.dtype).itemsize
