"""safetensors files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from safetensors import SafetensorError, safe_open

from ._stored import StoredArray, check_number_of_arrays, damaged

_DTYPES = {"BF16": "bfloat16", "F16": "float16", "F32": "float32", "F64": "float64"}


@contextmanager
def open_safetensors(path: Path) -> Iterator[dict[str, StoredArray]]:
    """The arrays of a file.

    Raises:
      InputError: it is truncated or inconsistent.
    """
    try:
        file = safe_open(path, framework="numpy")
    except SafetensorError as error:
        raise damaged(path, error) from error
    with file:
        names = file.keys()
        check_number_of_arrays(len(names), path)
        arrays = {}
        for name in names:
            head = file.get_slice(name)
            dtype = _DTYPES.get(head.get_dtype(), head.get_dtype())
            shape = tuple(head.get_shape())
            arrays[name] = StoredArray(shape, dtype, partial(file.get_tensor, name))
        yield arrays
