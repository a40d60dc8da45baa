"""Where the images of units start."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np
import xarray as xr
from jaxtyping import Array, Bool, Float32, Int, Int32, UInt32

from .._arguments import real_array
from .._errors import InputError
from ._parametrization import Shape

_GRAY = np.float32(0.5)


class Starts(NamedTuple):
    """All starts of all units, one image each.

    Attributes:
      unit: whose image it is.
      key: the data of the key of its noise and movements.
      image: what it starts from.
      exact: whether the noise is left out.
    """

    unit: Int32[np.ndarray, " images"]
    key: UInt32[np.ndarray, "images words"]
    image: Float32[np.ndarray, "images height width channels"]
    exact: Bool[np.ndarray, " images"]


class Initial(NamedTuple):
    """The images that units start from.

    Attributes:
      images: pixels from 0 to 1; one for all units is not repeated.
      given: whether a unit has an image of its own to start from, and not mid gray.
    """

    images: Float32[np.ndarray, "units height width channels"]
    given: Bool[np.ndarray, " units"]


def starts_of(
    units: Int32[np.ndarray, " units"],
    starts: int,
    seed: int,
    initial: Initial,
    rows: Int[np.ndarray, " images"],
) -> Starts:
    """Some of the starts; row r is start r mod `starts` of unit r div `starts`."""
    place, number = np.divmod(rows, starts)
    unit = units[place]
    return Starts(
        unit=unit,
        key=np.asarray(_keys(jax.random.key(seed), unit, number)),
        image=initial.images[place],
        exact=initial.given[place] & (number == 0),
    )


def checked_initial(initial: Any, units: Int32[np.ndarray, " units"], shape: Shape) -> Initial:
    """The images to start from.

    Args:
      initial: as in `maximize`.
      units: the units.
      shape: height, width and channels of an image.

    Raises:
      InputError: a unit has none, or shape or values are not those of an image.
    """
    wanted = (len(units), *shape)
    if initial is None:
        return Initial(np.broadcast_to(_GRAY, wanted), np.zeros(len(units), bool))
    made = isinstance(initial, xr.Dataset)
    given_images = _chosen(initial, units) if made else initial
    images = real_array(given_images, "initial images").astype(np.float32)
    if images.shape not in (shape, wanted):
        raise InputError(
            f"initial images of shape {images.shape}: give {list(shape)}, one for all units, or "
            f"{list(wanted)}, one for each"
        )
    images = np.broadcast_to(images, wanted)
    # A unit that did not respond has no image in the result of another ascent.
    missing = np.asarray(np.isnan(images).any((1, 2, 3)))
    given = ~missing if made else np.ones(len(units), bool)
    images = np.where(given[:, None, None, None], images, _GRAY)
    if not (images.min() >= 0 and images.max() <= 1):
        raise InputError(
            f"initial images from {images.min()} to {images.max()}: give pixels from 0 to 1"
        )
    return Initial(images, given)


def _chosen(result: xr.Dataset, units: Int32[np.ndarray, " units"]) -> xr.DataArray:
    if "image" not in result or "unit" not in result.coords:
        raise InputError("initial has no image by unit: give the result of maximize, or an array")
    missing = np.setdiff1d(units, result["unit"])
    if len(missing):
        raise InputError(f"initial has no image for unit {missing[0]}: make one first")
    return result["image"].sel(unit=units)


@jax.jit
def _keys(key: Array, units: Array, numbers: Array) -> Array:
    """The data of the key of each start of each unit, whatever else is asked for."""
    fold = jax.vmap(lambda unit, number: jax.random.fold_in(jax.random.fold_in(key, unit), number))
    return jax.random.key_data(fold(units, numbers))
