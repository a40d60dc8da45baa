"""Everything that run folders hold, without network, images or settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import xarray as xr

import jaxunits as ju

from ..runs import Run, folders


def measured_runs(paths: Sequence[Path]) -> list[Run]:
    """The networks of run folders and of studies' folders, with all that was measured of them.

    Where two studies have networks that are called alike, all of theirs have the study's name too.

    Args:
      paths: the folders.

    Raises:
      InputError: a folder has no measurements, has several of a layer and kind that differ in their
        settings, two networks have one name, or a file is damaged.
    """
    places = [folder.absolute() for path in paths for folder in folders(path)]
    studies: dict[str, set[Path]] = {}
    for folder in places:
        study, name = _place(folder)
        studies.setdefault(name, set()).add(study)
    shared = {study for of in studies.values() if len(of) > 1 for study in of}
    named: dict[str, Path] = {}
    found = []
    for folder in places:
        study, name = _place(folder)
        configuration = f"{study.name}/{name}" if study in shared else name
        run = Run(configuration, folder.name, _results(folder), folder)
        if run.name in named:
            raise ju.InputError(
                f"{named[run.name]} and {folder} are both called {run.name}: name each folder "
                "once, and rename one of two studies that are called alike"
            )
        named[run.name] = folder
        found.append(run)
    return found


def _place(folder: Path) -> tuple[Path, str]:
    """The folder of a run's study, and the name of its configuration there."""
    own = folder.parent if folder.name.startswith("seed") else folder
    return own.parent, own.name


def _results(folder: Path) -> dict[str, dict[str, xr.Dataset]]:
    """By kind and layer, in the network's order."""
    files: dict[tuple[str, str], Path] = {}
    read: list[xr.Dataset] = []
    for path in sorted(ju.results.RunFolder(folder).measurements.glob("*.nc")):
        result = ju.results.read(path)
        kind, layer = (str(result.attrs.get(key, "")) for key in ("kind", "layer"))
        other = files.setdefault((kind, layer), path)
        if other != path:
            raise ju.InputError(
                f"{folder} holds several measurements of the kind {kind!r} of layer {layer!r}: "
                f"{other.name} and {path.name}. Copy the folder with those of one setting"
            )
        read.append(result)
    if not read:
        raise ju.InputError(
            f"{folder} holds no measurements: give the folder of a run or of a study that jaxunits "
            "analysis has measured"
        )
    results: dict[str, dict[str, xr.Dataset]] = {}
    for result in sorted(read, key=lambda each: int(each.attrs["layer_number"])):
        results.setdefault(str(result.attrs["kind"]), {})[str(result.attrs["layer"])] = result
    return results
