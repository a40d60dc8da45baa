"""The files of a run folder's measurements, each known by everything that its numbers depend on."""

from __future__ import annotations

import csv
import functools
import hashlib
import io
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import h5py
import xarray as xr

import jaxunits as ju
from jaxunits import files

Settings = Mapping[str, str]

INDEX = "index.csv"
_COLUMNS = ("file", "kind", "layer", "split", "created", "settings")
_NAMED = ("kind", "layer", "split")
# The attribute that names those attributes that are settings.
_NAMES = "settings"
_NEEDED = {"kind", "layer", "layer_number"}
_DAMAGED = (OSError, RuntimeError, LookupError, TypeError, ValueError, AttributeError)
_WAY_OUT = "delete it and measure again"
_LONG = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Files:
    """The measurements in a folder: `KIND_LAYER_SPLIT_HASH.nc`, and `index.csv` that lists them.

    Settings are all that a measurement's numbers depend on, its `kind` and `layer` among them. The
    hash is of all of them; they are attributes of the file too, from which the index is made.

    Attributes:
      folder: where they are.
    """

    folder: Path

    def path(self, settings: Settings) -> Path:
        """The file of the measurement with these settings."""
        digest = hashlib.sha256(json.dumps(dict(settings), sort_keys=True).encode()).hexdigest()
        slugs = [
            re.sub("[^A-Za-z0-9]+", "-", settings.get(key, ""))[:40].strip("-") for key in _NAMED
        ]
        return self.folder / f"{'_'.join([*filter(None, slugs), digest[:12]])}.nc"

    def unfinished(self, settings: Settings) -> Path:
        """The folder for what is done so far of a measurement."""
        return self.path(settings).with_suffix(".unfinished")

    def read(self, settings: Settings) -> xr.Dataset | None:
        """The measurement with these settings; None where it was not made.

        Raises:
          InputError: its file is damaged, or holds a measurement with other settings.
        """
        path = self.path(settings)
        if not path.exists():
            return None
        result = ju.results.read(path)
        ju.results.raise_if_different(
            _settings_of(result.attrs) or _say_nothing(path),
            settings,
            place=f"measurement {path}",
            way_out=f"It was renamed: give it its name back, or {_WAY_OUT} (--overwrite)",
        )
        return result

    def write(self, settings: Settings, result: xr.Dataset) -> None:
        """Keep a measurement, with its settings as attributes, and list it in the index."""
        ju.results.write(result, self.path(settings))
        self.write_index()
        self.remove_unfinished(settings)

    def remove(self, settings: Settings) -> None:
        """Delete a measurement, and what is done so far of it."""
        self.remove_unfinished(settings)
        self.path(settings).unlink(missing_ok=True)

    def remove_unfinished(self, settings: Settings) -> None:
        """Delete what is done so far of a measurement."""
        folder = self.unfinished(settings)
        removed = folder.with_suffix(".removed")
        shutil.rmtree(removed, ignore_errors=True)
        # Renamed first: a kill leaves no folder with some of its files, to go on with.
        if folder.exists():
            folder.replace(removed)
            shutil.rmtree(removed)

    def find(self, asked: Settings, *, for_whom: str) -> dict[str, xr.Dataset]:
        """The measurements of a kind whose settings, as far as they are asked for, are these.

        Args:
          asked: some settings, the kind among them.
          for_whom: what needs them, for the error.

        Returns:
          They by layer, in the network's order.

        Raises:
          InputError: there are none, or several of a layer; or one of the kind is damaged or was
            renamed.
        """
        there = self._of_kind(asked["kind"])
        if not there:
            raise ju.InputError(
                f"{self.folder} holds no measurements of the kind {asked['kind']!r}, which "
                f"{for_whom} needs: name the experiments that were measured, or leave out "
                "--no-measure"
            )
        chosen: dict[str, Settings] = {}
        for settings in there:
            if _differences(settings, asked):
                continue
            layer = settings["layer"]
            if layer in chosen:
                raise self._ambiguous(settings, chosen[layer])
            chosen[layer] = settings
        if not chosen:
            raise self._missing(there, asked, for_whom)
        results = {}
        for layer in sorted(chosen, key=lambda layer: int(chosen[layer]["layer_number"])):
            result = self.read(chosen[layer])
            if result is not None:
                results[layer] = result
        return results

    def write_index(self) -> None:
        """Make the index list the files that are there, each by its attributes."""
        place = self.folder / INDEX
        # Another process may write an older list meanwhile: who writes last looks once more.
        while self.folder.is_dir() and (table := self._table()) != _content(place):
            files.write_atomically(place, table)

    def _of_kind(self, kind: str) -> Sequence[Settings]:
        """The settings of all measurements of a kind."""
        found = []
        for path in self._paths():
            settings = _settings_of(_attributes(path))
            if not (path.name.startswith(f"{kind}_") or settings.get("kind") == kind):
                continue
            if not settings or path != self.path(settings):
                # Damage is named as such.
                settings = _settings_of(ju.results.read(path).attrs) or _say_nothing(path)
                raise ju.InputError(
                    f"measurement {path} was renamed: by its settings it is "
                    f"{self.path(settings).name}. Give it that name, or delete it"
                )
            found.append(settings)
        return found

    def _missing(self, there: Sequence[Settings], asked: Settings, for_whom: str) -> ju.InputError:
        layers: dict[str, list[str]] = {}
        for settings in there:
            others = _differences(settings, asked)
            text = ", ".join(
                f"{key} {settings.get(key, 'not set')!r} instead of {asked[key]!r}"
                for key in others
            )
            layers.setdefault(text, []).append(settings["layer"])
        listed = "; ".join(f"of {', '.join(names)} with {text}" for text, names in layers.items())
        return ju.InputError(
            f"{self.folder} holds no measurements of the kind {asked['kind']!r} with the settings "
            f"that are asked for, which {for_whom} needs. It holds those {listed}. Give the "
            "settings of those, or leave out --no-measure to measure"
        )

    def _ambiguous(self, one: Settings, other: Settings) -> ju.InputError:
        differing = ", ".join(
            f"{key} ({_short(other.get(key, ''))!r}, {_short(one.get(key, ''))!r})"
            for key in _differences(one, other)
        )
        return ju.InputError(
            f"{self.folder} holds several measurements with the settings that are asked for: "
            f"{self.path(other).name} and {self.path(one).name} differ in {differing}. Name "
            "the one that is meant (such as --epoch), delete the other, or leave out --no-measure"
        )

    def _table(self) -> str:
        """The index as CSV."""
        table = io.StringIO(newline="")
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for path in self._paths():
            attributes = _attributes(path)
            settings = _settings_of(attributes)
            # Those that were asked for come last, and are what people look for first.
            shown = [
                f"{key}={_cut(_short(settings[key]))}"
                for key in reversed(settings)
                if key not in _NAMED
            ]
            writer.writerow(
                [
                    path.name,
                    *(settings.get(key, "") for key in _NAMED),
                    attributes.get("created", ""),
                    "; ".join(shown) or f"not known: {_WAY_OUT}",
                ]
            )
        return table.getvalue()

    def _paths(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return sorted(
            path for path in self.folder.iterdir() if path.suffix == ".nc" and path.name[0] != "."
        )


def with_settings(result: xr.Dataset, settings: Settings) -> xr.Dataset:
    """A result with the attributes that `Files` knows it by, and when it was made."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    created = result.attrs.get("created", now)
    return result.assign_attrs({"created": created, **settings, _NAMES: ", ".join(settings)})


def _attributes(path: Path) -> dict[str, object]:
    """What a file says of itself, without its numbers; nothing where it is damaged."""
    state = path.stat()
    return _read_attributes(path, state.st_ino, state.st_size, state.st_mtime_ns)


@functools.lru_cache(1024)
def _read_attributes(path: Path, *state: int) -> dict[str, object]:
    """Read once while a file is the same; the index and every kind of measurement ask for it."""
    try:
        with h5py.File(path) as file:
            return dict(file.attrs)
    except _DAMAGED:
        return {}


def _settings_of(attributes: Mapping[str, object]) -> dict[str, str]:
    """The settings among a measurement's attributes; none of a file that does not say them."""
    names = str(attributes.get(_NAMES, "")).split(", ")
    settings = {name: str(attributes[name]) for name in names if name in attributes}
    whole = settings.keys() >= _NEEDED and settings["layer_number"].isdecimal()
    return settings if whole else {}


def _say_nothing(path: Path) -> NoReturn:
    raise ju.InputError(f"measurement {path} does not say its settings: {_WAY_OUT}")


def _differences(settings: Settings, asked: Settings) -> list[str]:
    return [key for key, value in asked.items() if settings.get(key) != value]


def _short(value: str) -> str:
    """A setting for people: of a fingerprint the beginning."""
    return _LONG.sub(lambda digest: digest[0][:12], value)


def _cut(text: str, most: int = 50) -> str:
    return text if len(text) <= most else f"{text[:most]}…"


def _content(path: Path) -> str | None:
    return path.read_bytes().decode(errors="replace") if path.is_file() else None
