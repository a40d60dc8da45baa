"""The embedded digits, prepared once in the user's cache folder."""

from __future__ import annotations

from pathlib import Path

import filelock
import platformdirs

from ._dataset import Dataset
from ._digits_builder import EmbeddedDigits
from ._tfds import from_builder, quiet


def load(split: str | None, data_dir: str | Path | None) -> Dataset:
    """The embedded digits; processes that need them at the same time wait for each other."""
    folder = Path(data_dir) if data_dir else platformdirs.user_cache_path("jaxunits") / "datasets"
    folder.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder / ".preparing"), quiet():
        builder = EmbeddedDigits(data_dir=folder, file_format="array_record")
        if not builder.is_prepared():
            builder.download_and_prepare()
    return from_builder(builder, "digits", split)
