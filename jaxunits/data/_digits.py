"""The embedded digits, prepared once in the user's cache folder."""

from __future__ import annotations

import atexit
import functools
import tempfile
from pathlib import Path

import filelock

from .._cache_folder import user_cache
from ._dataset import Dataset
from ._digits_builder import EmbeddedDigits
from ._tfds import from_builder, quiet


def load(split: str | None, data_dir: str | Path | None) -> Dataset:
    """The embedded digits; processes that need them at the same time wait for each other."""
    folder = Path(data_dir) if data_dir else (user_cache() or _until_exit()) / "datasets"
    with quiet():
        builder = _builder(folder)
        if not builder.is_prepared():
            folder.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(folder / ".preparing"):
                # Another process may have prepared them meanwhile, and a builder looks only once.
                builder = _builder(folder)
                if not builder.is_prepared():
                    builder.download_and_prepare()
    return from_builder(builder, "digits", split)


def _builder(folder: Path) -> EmbeddedDigits:
    return EmbeddedDigits(data_dir=folder, file_format="array_record")


@functools.cache
def _until_exit() -> Path:
    """A folder for this process alone, which is removed when it ends."""
    folder = tempfile.TemporaryDirectory(prefix="jaxunits-")
    atexit.register(folder.cleanup)
    return Path(folder.name)
