"""The embedded digits, prepared once in the user's cache folder."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

import filelock
import platformdirs

from .._errors import InputError
from ..results import read_json, write_json
from ._dataset import Dataset
from ._digits_builder import EmbeddedDigits
from ._tfds import from_builder, quiet

_PREPARING = ".preparing"


def load(split: str | None, data_dir: str | Path | None) -> Dataset:
    """The embedded digits; processes that need them at the same time wait for each other.

    Prepared files that were damaged since are prepared anew.
    """
    folder = Path(data_dir) if data_dir else platformdirs.user_cache_path("jaxunits") / "datasets"
    folder.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder / _PREPARING), quiet():
        if not _whole(folder):
            _prepare(folder)
        builder = EmbeddedDigits(data_dir=folder, file_format="array_record")
    return from_builder(builder, "digits", split)


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
        digests = read_json(path, "not prepared")
    except InputError:
        return False
    return digests == _digests_of(path.parent)


def _digests(folder: Path) -> Path:
    return folder / EmbeddedDigits.name / str(EmbeddedDigits.VERSION) / "digests.json"


def _digests_of(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.name != "digests.json"
    }
