"""One measurement, one netCDF file, readable with xarray alone."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import xarray as xr

from .._errors import InputError
from .._kinds import checks_kinds
from .._optional import is_installed
from ..files import read_regular, seal, unseal, write_atomically

# What netCDF4, h5netcdf and xarray raise for files of other formats.
_NOT_A_RESULT = (OSError, RuntimeError, LookupError, TypeError, ValueError, AttributeError)


@checks_kinds
def write(dataset: xr.Dataset, path: str | Path) -> None:
    """Write a result to a netCDF file, whole or not at all.

    The numbers have HDF5's checksums, which every reader verifies. Behind the HDF5 file, where its
    readers do not look, is a SHA-256 of all of it, which `read` verifies.

    Args:
      dataset: the result.
      path: the file; missing parent folders are made.

    Raises:
      OSError: the file could not be written; an older one at `path` is unchanged.
      InputError: this is no Dataset.
    """
    checksums = {
        name: {"fletcher32": True}
        for name, variable in dataset.variables.items()
        # Only arrays of numbers are stored in chunks of their own, which have checksums.
        if variable.ndim and variable.size and variable.dtype.kind in "biuf"
    }
    # h5netcdf alone writes the same bytes again in memory.
    # Not kept under a name: it is a view of a stream, which must not outlive it in a traceback.
    sealed = seal(dataset.to_netcdf(engine="h5netcdf", encoding=checksums))
    write_atomically(path, sealed)


@checks_kinds
def read(path: str | Path) -> xr.Dataset:
    """Read a result that `write` wrote; equal to it in values, coordinates and attributes.

    Args:
      path: the file.

    Returns:
      The result, with the dimensions that it was written with.

    Raises:
      FileNotFoundError: there is no such file.
      InputError: the file was damaged since it was written, or is not a result.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"no result at {path}: measure it first")
    content = read_regular(path, "result file")
    try:
        with xr.open_dataset(bytes(unseal(content)), engine=_reader()) as dataset:
            return dataset.load()
    except _NOT_A_RESULT as error:
        raise InputError(
            f"result file {path} ({len(content):,} bytes) is damaged ({error}): delete it and "
            "measure again. Files that other programs wrote are opened with xarray.open_dataset"
        ) from error


def _reader() -> Literal["netcdf4", "h5netcdf"]:
    """netCDF4 where it is installed: it is several times as fast."""
    return "netcdf4" if is_installed("netCDF4") else "h5netcdf"
