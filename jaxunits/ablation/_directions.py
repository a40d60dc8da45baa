"""Ablating directions: coordinates of a rotated basis instead of units (Zhou et al. 2018, §3.4)."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Unpack

import numpy as np
import xarray as xr
from jaxtyping import Float32
from numpy.typing import ArrayLike

from .._arguments import check_whole, from_options, real_array
from .._bounds import SEEDS, check_numbers, check_table
from .._errors import InputError
from ..data import Dataset
from ..execution import Progress, check_call
from ..networks import Classifier, Layer
from ..networks._checks import check_readable
from ..results import fingerprint
from ._counts import answer
from ._execution import Execution, Options
from ._question import question_of

_TOLERANCE = 1e-4


def directions(
    network: Classifier,
    layer: str,
    data: Dataset,
    basis: ArrayLike,
    masks: ArrayLike | None = None,
    *,
    file: str | Path | None = None,
    progress: Progress | bool | None = None,
    **options: Unpack[Options],
) -> xr.Dataset:
    """Ablate coordinates of a rotated basis: r = a·Q at each position, r_i = 0, back by Qᵀ.

    Args:
      network: the network, as in `sweep`.
      layer: the layer.
      data: the images.
      basis: Q `[units, units]`, orthogonal; column i is direction i. `haar` draws one.
      masks: `[masks, directions]`: 1 keeps a direction, 0 ablates it. None ablates every direction,
        one at a time.
      file: where the result is kept, as in `sweep`.
      progress: as in `sweep`.
      **options: execution options, see `Execution`.

    Returns:
      What `sweep` returns, with the dimension `direction` instead of `unit`.

    Raises:
      InputError: the basis is not orthogonal, the layer does not show its activations; and as in
        `sweep`.
    """
    check_call(network, file, progress)
    carried_out = from_options(Execution, options, directions)
    check_readable(network, layer)
    place = network.layer(layer)
    rotation = _checked_basis(basis, place)
    question = question_of(network, layer, data, carried_out, masks)
    question = dataclasses.replace(question, basis=rotation)
    rows = question.masks[1:]
    dimension = "direction" if question.each_unit else "mask"
    return answer(
        question,
        coordinates={dimension: np.arange(len(rows))},
        variables={} if question.each_unit else {"kept": (("mask", "direction"), rows)},
        settings={
            **question.settings("directions"),
            "basis": fingerprint(rotation),
        },
        file=file,
        progress=progress,
    )


def haar(num_units: int, *, seed: int = 0) -> Float32[np.ndarray, "units directions"]:
    """A random orthogonal matrix, uniformly distributed.

    QR of a Gaussian matrix, signs fixed by R's diagonal (Mezzadri 2007; Zhou et al. 2018, §3.4).

    Args:
      num_units: how many units the layer has.
      seed: the seed of the draw.

    Returns:
      Q `[units, directions]`: column i is direction i, as `directions` takes it.

    Raises:
      InputError: there are no units, or the seed is outside 0 to 2^32 - 1.
    """
    check_whole(num_units=num_units)
    if num_units < 1:
        raise InputError(f"num_units={num_units}: give at least one unit")
    check_numbers(seed=(seed, SEEDS))
    check_table(num_units, num_units, f"num_units={num_units}")
    gaussian = np.random.default_rng(seed).normal(size=(num_units, num_units))
    rotation, triangle = np.linalg.qr(gaussian)
    return (rotation * np.sign(np.diag(triangle))).astype(np.float32)


def _checked_basis(basis: ArrayLike, layer: Layer) -> Float32[np.ndarray, "units directions"]:
    """The basis as float32.

    Raises:
      InputError: it is not square, not finite or not orthogonal.
    """
    array = real_array(basis, "basis", f" for layer {layer.name!r}").astype(np.float64)
    if array.shape != (layer.num_units, layer.num_units):
        raise InputError(
            f"basis of shape {array.shape} for layer {layer.name!r}: expected "
            f"({layer.num_units}, {layer.num_units})"
        )
    error = np.abs(array.T @ array - np.eye(layer.num_units)).max()
    if not error <= _TOLERANCE:
        raise InputError(
            f"basis for layer {layer.name!r} is not orthogonal: QᵀQ differs from the identity by "
            f"{error:.2g}; give an orthogonal matrix, such as ju.ablation.haar({layer.num_units}, "
            "seed=0)"
        )
    return array.astype(np.float32)
