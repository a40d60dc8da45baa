"""Representative substitution: how many other units respond more to the image made for a unit."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from .._arguments import real_array
from .._errors import InputError

_AXES = ("unit", "responding_unit")


def representative_substitution(responses: Any) -> xr.Dataset:
    r"""RS(u) = |{j : x_j > x_u}| / U on the image made for u (arXiv 1911.05586, eq. 4).

    $$\mathrm{RS}(u) = \frac{|\{ j : x_j > x_u \}|}{U}$$

    0 means that no other unit of the layer responds more to the unit's image.

    Args:
      responses: activations x_j of all U units of the layer on the images made for units: the
        Dataset of `maximize`, its variable `response`, or an array `[units, units]`. Labeled ones
        may have further dimensions, such as `seed`. NaN where a unit has no image.

    Returns:
      A Dataset with the dimensions `unit` and `responding_unit`: `rs`, NaN for units without an
      image; `stronger`, whether x_j > x_u; `response`.

    Raises:
      InputError: the axes are not those of `maximize`, or a unit is not among those that respond.
    """
    response = _labeled(responses)
    own = response.sel(responding_unit=response["unit"]).drop_vars("responding_unit")
    stronger = response > own
    known = response.notnull().all("responding_unit")
    result = xr.Dataset(
        {
            "rs": stronger.mean("responding_unit").where(known),
            "stronger": stronger,
            "response": response,
        },
        attrs={key: responses.attrs[key] for key in getattr(responses, "attrs", {})},
    )
    result["rs"].attrs["long_name"] = "share of the layer's units that respond more to the image"
    result["stronger"].attrs["long_name"] = "whether a unit responds more than the image's own unit"
    return result


def _labeled(responses: Any) -> xr.DataArray:
    if isinstance(responses, xr.Dataset):
        if "response" not in responses:
            raise InputError("the Dataset has no variable response: give the result of maximize")
        responses = responses["response"]
    if not isinstance(responses, xr.DataArray):
        array = real_array(responses, "responses")
        if array.ndim != 2 or array.shape[0] != array.shape[1]:
            raise InputError(
                f"responses of shape {array.shape}: give [units, units], one row for the image of "
                "each unit, or the labeled response of maximize"
            )
        numbers = np.arange(len(array))
        responses = xr.DataArray(array, coords=dict.fromkeys(_AXES, numbers), dims=_AXES)
    missing = [axis for axis in _AXES if axis not in responses.coords]
    if missing:
        raise InputError(
            f"responses with the dimensions {', '.join(map(str, responses.dims))} have no "
            f"coordinate {missing[0]}: give the response of maximize"
        )
    absent = np.setdiff1d(responses["unit"], responses["responding_unit"])
    if len(absent):
        raise InputError(
            f"unit {absent[0]} is not among the responding units: give the responses of the whole "
            "layer"
        )
    return responses
