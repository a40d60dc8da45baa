"""Where results are kept, and progress beside them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import xarray as xr

from ..files import write_json
from ..results import beside, raise_if_different, read_result, timing_of, write
from ._plan import trial
from ._store import held, release, remove


@dataclass(frozen=True)
class Files:
    """The files of a measurement's results.

    Attributes:
      paths: by result; empty where results are kept in memory alone.
      steps: the name of a folder for intermediate results, beside the progress; empty for none.
    """

    paths: Mapping[str, Path]
    steps: str = ""

    @classmethod
    def of(
        cls,
        file: str | Path | None,
        results: Sequence[str],
        several: bool,
        *,
        prefix: str = "",
        steps: str = "",
    ) -> Files:
        """The files of some results.

        Args:
          file: what the caller named; None for none.
          results: the results' names.
          several: whether it is a folder, with a file for each.
          prefix: of the files' names in it.
          steps: see `Files`.
        """
        if file is None:
            return cls({})
        place = Path(file)
        paths = {results[0]: place}
        if several:
            paths = {name: place / f"{prefix}{_slug(name)}.nc" for name in results}
        if trial() is not None:
            # A plan writes nothing, and has nothing to plan where there are results.
            paths = {name: path for name, path in paths.items() if path.exists()}
        return cls(paths, steps)

    def part(self, name: str) -> Files:
        """The files of one result."""
        return Files({key: path for key, path in self.paths.items() if key == name}, self.steps)

    @property
    def unfinished(self) -> Path | None:
        """The folder of the progress; None for in memory."""
        return self._folder("pieces")

    @property
    def on_the_way(self) -> Path | None:
        """The folder of intermediate results; None for in memory, or where there is none."""
        return self._folder(self.steps) if self.steps else None

    @contextlib.contextmanager
    def made(
        self, settings: Mapping[str, Mapping[str, str]]
    ) -> Iterator[dict[str, xr.Dataset] | None]:
        """The results, if all are there; otherwise the files are locked for this job meanwhile.

        Raises:
          InputError: one was measured with other settings, every difference named, or is damaged.
        """
        # With steps the file itself is held while the last of them is made.
        place = self.on_the_way or self._first
        found = self._finished(settings)
        if found is not None:
            yield found
        else:
            with held(place, self._first):
                # Whoever was waited for has made them.
                yield self._finished(settings)
        if jax.process_index() == 0:
            self._tidy()

    def write(
        self, results: Mapping[str, xr.Dataset], timing: Mapping[str, Any]
    ) -> dict[str, xr.Dataset]:
        """Write results, and how long they took beside them; returns both together."""
        if jax.process_index() == 0:
            for name, path in self.paths.items():
                write_json(timing_of(path), timing)
                write(results[name], path)
        return {name: result.assign_attrs(timing) for name, result in results.items()}

    def _finished(self, settings: Mapping[str, Mapping[str, str]]) -> dict[str, xr.Dataset] | None:
        there = {name: path for name, path in self.paths.items() if path.exists()}
        found = {name: finished(path, settings[name]) for name, path in there.items()}
        return found if found and len(found) == len(self.paths) else None

    def _tidy(self) -> None:
        """Remove progress that an interruption left beside finished results."""
        for place in filter(None, (self.unfinished, self.on_the_way)):
            remove(place)
            release(place)
        if self._first is not None:
            release(self._first)

    def _folder(self, ending: str) -> Path | None:
        return None if self._first is None else beside(self._first, f".{ending}")

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
