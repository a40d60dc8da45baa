"""The folder for what is kept between runs, where there is one."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import platformdirs

_refused: set[Path] = set()


def user_cache() -> Path | None:
    """The folder of jaxunits in the user's cache; None, with one warning, if there is none."""
    path = platformdirs.user_cache_path("jaxunits")
    return path if is_writable(path) else None


def is_writable(path: Path) -> bool:
    """Whether files can be written into a folder, which is made; warns once where they cannot."""
    if path in _refused:
        return False
    try:
        # Of a user without a home the path is relative, and would be made where the program runs.
        if not path.is_absolute():
            raise FileNotFoundError("the user has no home")
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return True
    except OSError as error:
        _refused.add(path)
        reason = error.strerror or error
        warnings.warn(
            f"nothing is kept between runs, since {path} cannot be written ({reason}): set "
            "XDG_CACHE_HOME to a folder that can be, or JAX_COMPILATION_CACHE_DIR for "
            "compiled programs",
            stacklevel=3,
        )
        return False
