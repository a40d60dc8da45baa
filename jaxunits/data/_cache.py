"""Listings and labels of large data sets, in the user's cache folder."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from .._cache_folder import user_cache
from ..files import read_regular, seal, unseal, write_atomically


def path_of(kind: str, key: str) -> Path | None:
    """Where the arrays of a key are kept; None if nothing can be kept."""
    folder = user_cache()
    return None if folder is None else folder / kind / f"{key}.npz"


def read(path: Path | None) -> dict[str, np.ndarray]:
    """Arrays by their names; none if the file is missing or damaged."""
    if path is None:
        return {}
    try:
        content = unseal(read_regular(path, "cached file"))
    except (OSError, ValueError):
        return {}
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return dict(arrays)


def write(path: Path | None, arrays: Mapping[str, np.ndarray]) -> None:
    """Keep arrays; if nothing can be written, they are computed again."""
    if path is None:
        return
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    with contextlib.suppress(OSError):
        write_atomically(path, seal(content.getbuffer()))
