"""Settings in JSON files that people can read, with a digest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._errors import InputError
from ._files import read_regular, write_atomically
from ._seal import seal_settings, unseal_settings


def write_json(path: Path, settings: Mapping[str, Any]) -> None:
    """Write settings that JSON can hold, and their digest as `sha256`, whole or not at all."""
    write_atomically(path, json.dumps(seal_settings(settings), indent=2) + "\n")


def read_json(
    path: Path, missing: str, *, way_out: str = "restore it from a copy"
) -> dict[str, Any]:
    """The settings that `write_json` wrote.

    Args:
      path: the file.
      missing: what its absence means, for the error.
      way_out: what to do where it is damaged, for the error.

    Raises:
      InputError: the file is missing, or was damaged or changed by hand since it was written.
    """
    if not path.exists():
        raise InputError(f"{missing}: there is no {path}. Train a network first (jaxunits train)")
    try:
        content = json.loads(read_regular(path, "file").decode())
        if not isinstance(content, dict):
            raise ValueError("not a JSON object")
        return unseal_settings(content)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path} is damaged ({error}): {way_out}. A change that is meant is written with "
            "jaxunits.files.write_json"
        ) from error
