"""The images that activate a unit most, and where in them (paper A §2.2, unit visualization)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Float32, Int64, PyTree

from .._arguments import check_function_or_none, check_real, check_whole
from .._errors import InputError
from .._programs import kept
from ..data import Dataset, batches, check_channels
from ..networks import Classifier, MaskedFunction, check_classifier, check_readable


class _Top(NamedTuple):
    """The best so far.

    Attributes:
      activation: of the best images, falling.
      image: their indices.
      maps: their maps.
      values: the largest values of all maps so far, in no order.
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
    count: int = 9,
    activation: str = "mean",
    quantile: float = 0.005,
    batch_size: int = 128,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Find the images that activate units most, with their maps and a threshold for cutting out.

    One pass over the images; memory does not grow with their number but for the `quantile` largest
    values of each unit, so that the threshold is exact.

    Args:
      network: the network.
      layer: one of its layers.
      data: the images.
      units: the units that are looked at.
      count: images a unit.
      activation: what ranks the images: `"mean"` of a unit's map, or its largest value, `"max"`.
      quantile: the share of all positions of all images that lies above the threshold.
      batch_size: images a batch.
      progress: called with the images done and the images in all, after every batch.

    Returns:
      A Dataset with the dimensions `unit`, `rank`, `row` and `column`: `image` (an index into
      `data`), `activation`, `activation_map` and `threshold`. A dense layer's maps are 1×1, those
      of tokens have one column.

    Raises:
      InputError: the layer or a unit does not exist, the network does not show its activations, or
        a number is out of range.
    """
    check_function_or_none(progress=progress)
    check_classifier(network)
    place = network.layer(layer)
    chosen = place.chosen(units)
    check_readable(network, layer)
    check_channels(data, network.preprocessing)
    check_whole(count=count, batch_size=batch_size)
    check_real(quantile=quantile)
    if count < 1 or not 0 < quantile < 1 or activation not in ("mean", "max"):
        raise InputError(
            f"count={count}, quantile={quantile}, activation={activation!r}: give at least 1, a "
            "share between 0 and 1, and 'mean' or 'max'"
        )
    maps_of = _maps_of(network.function, place.name)
    top: _Top | None = None
    done = 0
    for batch in batches(data, network.preprocessing, min(batch_size, len(data))):
        answers = np.asarray(maps_of(network.params, batch.images, chosen), np.float32)
        maps = np.moveaxis(answers[batch.valid], -1, 0)
        above = max(1, math.floor(quantile * len(data) * maps[0, 0].size))
        top = _merge(top, _start(maps, done, activation), min(count, len(data)), above + 1)
        done += maps.shape[1]
        if progress is not None:
            progress(done, len(data))
    if top is None:
        raise InputError(f"data {data.name!r} holds no images")
    return xr.Dataset(
        {
            "image": (("unit", "rank"), top.image),
            "activation": (("unit", "rank"), top.activation),
            "activation_map": (("unit", "rank", "row", "column"), top.maps),
            "threshold": ("unit", top.values.min(1)),
        },
        coords={"unit": chosen},
        attrs={"layer": layer, "activation": activation, "quantile": quantile},
    )


@kept
def _maps_of(function: MaskedFunction, layer: str) -> Callable[[PyTree, Any, Any], Array]:
    @jax.jit
    def maps(
        params: PyTree, images: Array, chosen: Array
    ) -> Float[Array, "images rows columns units"]:
        with jax.default_matmul_precision("highest"):
            answers = function.activations(params, images, layer)[..., chosen]
        if answers.ndim == 3:
            return answers[:, :, None, :]
        return answers if answers.ndim == 4 else answers[:, None, None, :]

    return maps


def _start(
    maps: Float32[np.ndarray, "units images rows columns"], first: int, activation: str
) -> _Top:
    """All of a batch, unsorted."""
    units, images = maps.shape[:2]
    flat = maps.reshape(units, images, -1)
    return _Top(
        activation=flat.max(2) if activation == "max" else flat.mean(2),
        image=np.broadcast_to(np.arange(first, first + images), (units, images)),
        maps=maps,
        values=flat.reshape(units, -1),
    )


def _merge(top: _Top | None, new: _Top, ranks: int, values: int) -> _Top:
    """The best of both; of equal images the first one."""
    if top is not None:
        new = _Top(*(np.concatenate(pair, axis=1) for pair in zip(top, new, strict=True)))
    order = np.argsort(-new.activation, axis=1, kind="stable")[:, :ranks]
    kept = new.values
    if kept.shape[1] > values:
        kept = np.partition(kept, kept.shape[1] - values, axis=1)[:, -values:]
    return _Top(
        activation=np.take_along_axis(new.activation, order, 1),
        image=np.take_along_axis(new.image, order, 1),
        maps=np.take_along_axis(new.maps, order[..., None, None], 1),
        values=kept,
    )
