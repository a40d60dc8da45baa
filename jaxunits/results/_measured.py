"""The files of a measurement: a result, and beside it how long it took."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from .._kinds import checks_kinds
from ..files import read_json
from ._netcdf import read


@checks_kinds
def read_result(file: str | Path) -> xr.Dataset:
    """The result that a measurement left in a file, with how long it took as attributes.

    Args:
      file: the file that the measuring function was given as `file=`.

    Returns:
      The result, with the dimensions that the measuring function gives.

    Raises:
      FileNotFoundError: there is no such file.
      InputError: the file, or that of the times, was damaged since it was written.
    """
    path = Path(file)
    result = read(path)
    timing = timing_of(path)
    if not timing.exists():
        return result
    way_out = "delete it; only how long the measurement took is lost"
    return result.assign_attrs(read_json(timing, "no times", way_out=way_out))


def timing_of(path: Path) -> Path:
    """Where the times are: apart, so that equal measurements make equal files.

    Args:
      path: the result's file.

    Returns:
      The place of the file of times, beside it.
    """
    return beside(path, ".timing.json")


def beside(path: Path, ending: str) -> Path:
    """Another file of a result: its name with another ending in place of `.nc`.

    Args:
      path: the result's file.
      ending: the other ending, with its dot.

    Returns:
      The other file's place; the file need not exist.
    """
    return path.with_name(path.name.removesuffix(".nc") + ending)
