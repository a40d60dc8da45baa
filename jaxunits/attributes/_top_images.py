"""The images that activate a unit most, and where in them (Zhou et al. 2018, §2.2)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Unpack

import numpy as np
import xarray as xr
from jaxtyping import Float32, Int64

from .._arguments import check_real, check_whole, from_options
from .._errors import InputError
from ..data import Dataset
from ..execution import (
    Execution,
    Files,
    LookEngine,
    Measurement,
    Options,
    Progress,
    Seen,
    check_call,
    check_finite,
    in_one_pass,
    provenance,
    reading,
)
from ..networks import Classifier
from ..networks._checks import check_readable_on
from ..results import fingerprint
from ._maps import Maps


class _Top(NamedTuple):
    """The top images among some images.

    Attributes:
      activation: of the best images, falling.
      image: their indices.
      maps: their maps.
      values: the largest values of all maps, in no order.
    """

    activation: Float32[np.ndarray, "units ranks"]
    image: Int64[np.ndarray, "units ranks"]
    maps: Float32[np.ndarray, "units ranks rows columns"]
    values: Float32[np.ndarray, "units values"]


def top_images(
    network: Classifier,
    layer: str,
    data: Dataset,
    units: Sequence[int],
    *,
    num_images: int = 9,
    activation: str = "mean",
    quantile: float = 0.005,
    file: str | Path | None = None,
    progress: Progress | bool | None = None,
    **options: Unpack[Options],
) -> xr.Dataset:
    """Find the images that activate units most, with their maps and a threshold for cutting out.

    One pass over the images; memory grows with their number only by the `quantile` largest
    values of each unit, which make the threshold exact.

    Args:
      network: the network.
      layer: one of its layers.
      data: the images.
      units: which units.
      num_images: images per unit.
      activation: what ranks the images: `"mean"` of a unit's map, or its largest value, `"max"`.
      quantile: the share of all positions of all images that lies above the threshold.
      file: where the result is kept (netCDF), as in `ju.ablation.sweep`.
      progress: called with the images done and the total, after every batch; False for
        silence, None for a bar in a terminal or notebook.
      **options: execution options, see `ju.Execution`.

    Returns:
      A Dataset with the dimensions `unit`, `rank`, `row` and `column`: `image` (an index into
      `data`), `activation`, `activation_map` and `threshold`. A dense layer's maps are 1×1, those
      of tokens have one column.

    Raises:
      InputError: the layer or a unit does not exist, the network does not show its activations, or
        a number is out of range.
    """
    check_call(network, file, progress)
    execution = from_options(Execution, options, top_images)
    place = check_readable_on(network, layer, data)
    chosen = place.chosen(units)
    check_whole(num_images=num_images)
    check_real(quantile=quantile)
    if num_images < 1 or not 0 < quantile < 1 or activation not in ("mean", "max"):
        raise InputError(
            f"num_images={num_images}, quantile={quantile}, activation={activation!r}: give at "
            "least 1, a share between 0 and 1, and 'mean' or 'max'"
        )
    above = max(1, math.floor(quantile * len(data) * math.prod(place.map_shape or ())))
    kept = (min(num_images, len(data)), above + 1)

    def observe(seen: Iterator[Seen]) -> _Top:
        best: list[_Top] = []
        for each in seen:
            new = _start(each, activation, f"layer {place.name!r}", data.name)
            best = [_best([*best, new], *kept)]
        return best[0]

    def finish(states: Callable[[], Iterator[_Top]]) -> dict[str, xr.Dataset]:
        (top,) = states()
        return {place.name: _labeled(top, chosen)}

    settings = {
        **provenance("top_images", network, place.name, data, execution),
        "units": fingerprint(chosen),
        "num_images": str(num_images),
        "activation": activation,
        "quantile": str(quantile),
    }
    asked = Measurement(
        settings={place.name: settings},
        compile=lambda read: LookEngine(
            network,
            Maps(network.function, place.name),
            read,
            execution,
            arguments=chosen,
            what=f"maps of layer {place.name!r}",
        ),
        observe=observe,
        kind=_Top,
        merge=lambda one, other: _best([one, other], *kept),
        finish=finish,
        files=Files.of(file, [place.name], several=False),
    )
    read = reading(data, network.preprocessing, execution)
    title = f"top images of {place.name}"
    return in_one_pass([asked], read, execution, progress, title)[0][place.name]


def _start(seen: Seen, activation: str, layer: str, data: str) -> _Top:
    """All of a batch, unsorted."""
    check_finite(seen.found, seen.image, f"activation of {layer}", data)
    maps = np.moveaxis(seen.found, -1, 0)
    flat = maps.reshape(*maps.shape[:2], -1)
    return _Top(
        activation=flat.max(2) if activation == "max" else flat.mean(2),
        image=np.broadcast_to(seen.image, flat.shape[:2]),
        maps=maps,
        values=flat.reshape(len(flat), -1),
    )


def _best(parts: Sequence[_Top], ranks: int, values: int) -> _Top:
    """The best of several; ties go to the first image."""
    new = _Top(*(np.concatenate(arrays, axis=1) for arrays in zip(*parts, strict=True)))
    order = np.lexsort((new.image, -new.activation), axis=1)[:, :ranks]
    kept = new.values
    if kept.shape[1] > values:
        kept = np.partition(kept, kept.shape[1] - values, axis=1)[:, -values:]
    return _Top(
        activation=np.take_along_axis(new.activation, order, 1),
        image=np.take_along_axis(new.image, order, 1),
        maps=np.take_along_axis(new.maps, order[..., None, None], 1),
        values=kept,
    )


def _labeled(top: _Top, units: Int64[np.ndarray, " chosen"]) -> xr.Dataset:
    return xr.Dataset(
        {
            "image": (("unit", "rank"), top.image),
            "activation": (("unit", "rank"), top.activation),
            "activation_map": (("unit", "rank", "row", "column"), top.maps),
            "threshold": ("unit", top.values.min(1)),
        },
        coords={"unit": units},
    )
