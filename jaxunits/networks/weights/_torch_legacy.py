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
from ._pickle import read_pickle
from ._pickle_names import Storage
from ._stored import StoredArray, damaged, shortened
from ._tensors import storage_dtype, stored_tensors

MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001


@contextmanager
def open_legacy(path: Path, entry: str | None = None) -> Iterator[dict[str, StoredArray]]:
    """The arrays of a checkpoint; `entry` is as for `weights_entry`.

    Raises:
      InputError: it is another pickle, is truncated, or would execute something.
    """
    with path.open("rb") as file:
        if read_pickle(file, path).content != MAGIC:
            raise InputError(
                f"weights file {path} is a pickle that PyTorch did not write: give a file of "
                "torch.save(model.state_dict(), path)"
            )
        if (protocol := read_pickle(file, path).content) != _PROTOCOL:
            number = protocol if isinstance(protocol, int) else "that is not a number"
            raise InputError(f"weights file {path} has PyTorch's unknown protocol {number}")
        # The machine that wrote it; numbers are little-endian whatever it was.
        read_pickle(file, path)
        checkpoint = read_pickle(file, path)
        keys = read_pickle(file, path).content
        places = _places(file, keys, checkpoint.storages, path)

        def read(storage: Storage) -> Shaped[np.ndarray, ...]:
            file.seek(places[storage.key])
            return np.frombuffer(file.read(_bytes(storage)), storage_dtype(storage.dtype))

        yield stored_tensors(checkpoint.content, read, path, entry)


def _places(
    file: BufferedIOBase, keys: Any, storages: dict[str, Storage], path: Path
) -> dict[str, int]:
    """Where in the file the numbers of each storage begin."""
    end = path.stat().st_size
    places: dict[str, int] = {}
    if not isinstance(keys, list) or not all(isinstance(key, str | int) for key in keys):
        raise damaged(path, "the list of its storages is missing")
    for key in map(str, keys):
        name = shortened(key)
        if key not in storages:
            raise damaged(path, f"storage {name!r} is of an unknown type")
        head = file.read(8)
        place = file.tell()
        size = _bytes(storages[key])
        if len(head) < 8 or place + size > end:
            raise damaged(path, f"storage {name!r} of {size} bytes ends beyond the end of the file")
        if struct.unpack("<q", head)[0] != storages[key].count:
            raise damaged(path, f"storage {name!r} has another size than the file says")
        places[key] = place
        file.seek(place + size)
    if missing := storages.keys() - places.keys():
        raise damaged(path, f"storage {shortened(min(missing))!r} is missing")
    return places


def _bytes(storage: Storage) -> int:
    return storage.count * storage_dtype(storage.dtype).itemsize
