"""Progress of a measurement, so that an interruption loses at most one piece."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax

from .._errors import InputError
from ..files import (
    DamagedError,
    hold,
    read_json,
    read_regular,
    seal,
    unseal,
    write_atomically,
    write_json,
)
from ..results import raise_if_different
from ._processes import exchange, wait

_SETTINGS = "settings.json"
_NAME = re.compile(r"piece-(\d{9})")


class Store:
    """The finished pieces of a measurement by number, in memory or in a folder.

    Attributes:
      folder: where they are kept; None for in memory.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._memory: dict[int, bytes] = {}

    @property
    def lasting(self) -> bool:
        """Whether what is kept outlives the process."""
        return self.folder is not None

    def __iter__(self) -> Iterator[int]:
        """The numbers of the pieces that are there, rising."""
        if self.folder is None:
            return iter(sorted(self._memory))
        found = map(_NAME.fullmatch, sorted(path.name for path in self.folder.iterdir()))
        return iter([int(match[1]) for match in found if match])

    def __getitem__(self, number: int) -> bytes:
        """The content of a piece.

        Raises:
          InputError: its file cannot be read, or was damaged since it was written.
        """
        if self.folder is None:
            return self._memory[number]
        path = self._path(number)
        try:
            return bytes(unseal(read_regular(path, "piece")))
        except (OSError, DamagedError) as error:
            raise InputError(
                f"piece {path} cannot be read ({error}): delete it and repeat the call"
            ) from error

    def __setitem__(self, number: int, content: bytes) -> None:
        """Keep the content of a piece, whole or not at all."""
        if self.folder is None:
            self._memory[number] = content
        else:
            write_atomically(self._path(number), seal(content))

    def __delitem__(self, number: int) -> None:
        """Forget a piece that is there."""
        if self.folder is None:
            del self._memory[number]
        else:
            self._path(number).unlink(missing_ok=True)

    def exchange(self) -> None:
        """Give every process the pieces of all."""
        if self.folder is None:
            self._memory = exchange(self._memory)
        else:
            wait("pieces done")

    def _path(self, number: int) -> Path:
        return (self.folder or Path()) / f"piece-{number:09d}"


@contextlib.contextmanager
def held(place: Path | None, file: Path | None) -> Iterator[None]:
    """Hold a place for this job, so that no two jobs do the same work; another job is waited for.

    Args:
      place: what is held: a result's file, or the folder of what is done so far.
      file: the result's file; None where it is kept in memory, and nothing is held.
    """
    with contextlib.ExitStack() as stack:
        if place is not None and file is not None and jax.process_index() == 0:
            stack.enter_context(hold(_lock(place), f"measurement {file}"))
        wait("place held")
        yield


def release(place: Path) -> None:
    """Remove what a killed process left of its hold of a place; nothing of a living one's."""
    if _lock(place).exists():
        with contextlib.suppress(InputError), hold(_lock(place), str(place), otherwise="leave it"):
            pass


def _lock(place: Path) -> Path:
    return place.with_name(f".{place.name}.lock")


@contextlib.contextmanager
def open_store(folder: Path | None, settings: Mapping[str, Any]) -> Iterator[Store]:
    """Open the pieces of a measurement, or start them; they are removed after success.

    Args:
      folder: where they are kept; None for in memory.
      settings: what all pieces have in common.

    Raises:
      InputError: the folder holds pieces of other settings; every difference is named.
    """
    if folder is not None:
        if jax.process_index() == 0:
            _claim(folder, settings)
        wait("pieces opened")
    yield Store(folder)
    wait("result written")
    if folder is not None and jax.process_index() == 0:
        remove(folder)


def remove(folder: Path) -> None:
    """Delete a folder of pieces, or of folders of them, if it is there."""
    if folder.is_dir():
        for inside in [path for path in folder.iterdir() if path.is_dir()]:
            remove(inside)
        # The settings go last: a folder without them would be taken for a new one.
        # Whoever reads a finished file removes them, and may not be alone.
        for path in sorted(folder.iterdir(), key=lambda path: path.name == _SETTINGS):
            path.unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):
            folder.rmdir()


def _claim(folder: Path, settings: Mapping[str, Any]) -> None:
    path = folder / _SETTINGS
    if not path.exists():
        write_json(path, settings)
        return
    raise_if_different(
        read_json(
            path,
            f"{folder} is not a folder of pieces",
            way_out=f"delete the folder {folder} to measure again",
        ),
        settings,
        place=f"the unfinished measurement {folder}",
        way_out="Give the same settings to resume it, or delete the folder to start again",
    )
