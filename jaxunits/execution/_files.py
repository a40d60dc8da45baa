"""Where results are kept, and beside them what is done so far."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import xarray as xr

from ..results import raise_if_different, read_result, timing_of, write, write_json
from ._store import held, remove


@dataclass(frozen=True)
class Files:
    """The files of a measurement's results.

    Attributes:
      paths: by result; empty where results are kept in memory alone.
    """

    paths: Mapping[str, Path]

    @classmethod
    def of(
        cls, file: str | Path | None, results: Sequence[str], several: bool, prefix: str = ""
    ) -> Files:
        """The files of some results.

        Args:
          file: what the caller named; None for none.
          results: the results' names.
          several: whether it is a folder, with a file for each.
          prefix: of the files' names in it.
        """
        if file is None:
            return cls({})
        place = Path(file)
        if not several:
            return cls({results[0]: place})
        return cls({name: place / f"{prefix}{_slug(name)}.nc" for name in results})

    def part(self, name: str) -> Files:
        """The files of one result."""
        return Files({key: path for key, path in self.paths.items() if key == name})

    @property
    def unfinished(self) -> Path | None:
        """The folder of what is done so far; None for in memory."""
        return None if self._first is None else self._first.with_suffix(".pieces")

    @contextlib.contextmanager
    def made(
        self, settings: Mapping[str, Mapping[str, str]], *, hold: Path | None = None
    ) -> Iterator[dict[str, xr.Dataset] | None]:
        """The results, where all are there; else the files are held for this job meanwhile.

        Args:
          settings: by result, everything that its numbers depend on.
          hold: what is held in place of the first file.

        Raises:
          InputError: one was measured with other settings, every difference named, or is damaged.
        """
        found = self._finished(settings)
        if found is not None:
            yield found
        else:
            with held(hold or self._first, self._first):
                # Whoever was waited for has made them.
                yield self._finished(settings)
        # A kill between writing the results and removing what was done so far leaves it behind.
        if self._first is not None and jax.process_index() == 0:
            remove(self._first.with_suffix(".pieces"))
            for path in self._first.parent.glob(f"{self._first.stem}.pass*"):
                remove(path) if path.is_dir() else path.unlink(missing_ok=True)

    def write(
        self, results: Mapping[str, xr.Dataset], timing: Mapping[str, Any]
    ) -> dict[str, xr.Dataset]:
        """Write results, and how long they took beside them; gives both together."""
        if jax.process_index() == 0:
            for name, path in self.paths.items():
                write_json(timing_of(path), timing)
                write(results[name], path)
        return {name: result.assign_attrs(timing) for name, result in results.items()}

    def _finished(self, settings: Mapping[str, Mapping[str, str]]) -> dict[str, xr.Dataset] | None:
        if not self.paths or not all(path.exists() for path in self.paths.values()):
            return None
        return {name: finished(path, settings[name]) for name, path in self.paths.items()}

    @property
    def _first(self) -> Path | None:
        return next(iter(self.paths.values()), None)


def finished(path: Path, settings: Mapping[str, str]) -> xr.Dataset:
    """The result of a file, with how long it took.

    Raises:
      InputError: it was measured with other settings, every difference named, or is damaged.
    """
    result = read_result(path)
    raise_if_different(
        {key: result.attrs.get(key) for key in settings},
        settings,
        place=f"measurement {path}",
        way_out="Give the same settings, another file, or delete this one to measure again",
    )
    return result


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name)
