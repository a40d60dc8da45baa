"""The embedded digits, prepared once in the user's cache folder."""

from __future__ import annotations

import atexit
import functools
import hashlib
import shutil
import tempfile
from pathlib import Path

from .._cache_folder import user_cache
from .._errors import InputError
from ..results import hold, read_json, write_json
from ._dataset import Dataset
from ._digits_builder import EmbeddedDigits
from ._tfds import from_builder, quiet

_PREPARING = ".preparing"


def load(split: str | None, data_dir: str | Path | None) -> Dataset:
    """The embedded digits; processes that need them at the same time wait for each other.

    Prepared files that were damaged since are prepared anew.
    """
    folder = Path(data_dir) if data_dir else (user_cache() or _until_exit()) / "datasets"
    with quiet():
        # Prepared digits are read without a lock, from folders that cannot be written too.
        if not _whole(folder):
            with hold(folder / _PREPARING, f"data 'digits' in {folder}"):
                if not _whole(folder):
                    _prepare(folder)
        builder = EmbeddedDigits(data_dir=folder, file_format="array_record")
    return from_builder(builder, "digits", split)


@functools.cache
def _until_exit() -> Path:
    """A folder for this process alone, which is removed when it ends."""
    folder = tempfile.TemporaryDirectory(prefix="jaxunits-")
    atexit.register(folder.cleanup)
    return Path(folder.name)


def _prepare(folder: Path) -> None:
    """Prepare beside the place and rename, so that others never see a part of it."""
    for left in folder.glob(f"{_PREPARING}-*"):
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=f"{_PREPARING}-", dir=folder) as temporary:
        fresh = Path(temporary, "fresh")
        EmbeddedDigits(data_dir=fresh, file_format="array_record").download_and_prepare()
        write_json(_digests(fresh), _digests_of(_digests(fresh).parent))
        place = folder / EmbeddedDigits.name
        if place.exists():
            place.rename(Path(temporary, "before"))
        (fresh / EmbeddedDigits.name).rename(place)


def _whole(folder: Path) -> bool:
    """Whether the prepared files are those that were written."""
    path = _digests(folder)
    try:
        return read_json(path, "not prepared") == _digests_of(path.parent)
    except (InputError, FileNotFoundError):
        # Without a lock, another process may be replacing damaged files.
        return False


def _digests(folder: Path) -> Path:
    return folder / EmbeddedDigits.name / str(EmbeddedDigits.VERSION) / "digests.json"


def _digests_of(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.name != "digests.json"
    }
