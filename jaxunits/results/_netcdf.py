"""One measurement, one netCDF file, readable with xarray alone."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from .._errors import InputError
from ._files import write_atomically


def write(dataset: xr.Dataset, path: str | Path) -> None:
    """Write a result to a netCDF file, whole or not at all.

    Raises:
      OSError: the file could not be written; an older one at `path` is unchanged.
    """
    write_atomically(path, dataset.to_netcdf(engine="h5netcdf"))


def read(path: str | Path) -> xr.Dataset:
    """Read a result that `write` wrote; equal to it in values, coordinates and attributes.

    Raises:
      FileNotFoundError: there is no such file.
      InputError: the file is truncated or not netCDF.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"no result at {path}: measure it first")
    try:
        with xr.open_dataset(path, engine="h5netcdf") as dataset:
            return dataset.load()
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"result file {path} ({path.stat().st_size:,} bytes) cannot be read: it is truncated "
            f"or not netCDF ({error}). Delete it and measure again"
        ) from error
