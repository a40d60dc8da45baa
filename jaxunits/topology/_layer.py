"""Birth points of a network's layer, image by image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Bool, Float, Int64, PyTree

from .._arguments import check_function_or_none, check_whole
from .._errors import InputError
from .._programs import kept
from ..data import Batch, Dataset, batches, check_channels
from ..networks import Classifier, MaskedFunction, check_classifier, check_readable
from ._birth_points import birth_points
from ._edges import check_square
from ._found import Found, find, settle
from ._question import Question


class _Answer(NamedTuple):
    """What one program gives of a batch.

    Attributes:
      maps: where ripser takes them all; else None, since they are not kept.
      found: where the kernel has looked at them.
      finite: whether all values of an image are.
    """

    maps: Float[Array, "images height height units"] | None
    found: Found | None
    finite: Bool[Array, " images"]


def layer_birth_points(
    network: Classifier,
    layer: str,
    data: Dataset,
    *,
    limit: int = 50,
    dimension: int = 1,
    method: str = "auto",
    convention: str = "paper",
    processes: int = 1,
    batch_size: int = 128,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Birth points of all units of a layer on every image (paper B §3.2).

    Maps are computed, reduced to birth points and dropped in one program, batch by batch: memory
    grows with the images by one number an image and unit. Maps come to the host only where ripser
    is asked for.

    Args:
      network: the network.
      layer: one of its layers, with square maps.
      data: the images.
      limit: as for `birth_points`.
      dimension: as for `birth_points`.
      method: as for `birth_points`.
      convention: as for `birth_points`.
      processes: as for `birth_points`.
      batch_size: images a batch.
      progress: called with the images done and the images in all, after every batch.

    Returns:
      A Dataset by `image` (an index into `data`) and `unit`: `birth_point`, 0 for none; `class`
      and `class_index`, the name and the label of each image's class.

    Raises:
      InputError: as `birth_points`; the layer does not exist or has no square maps, the network
        does not show its activations, or an activation is not finite.
    """
    check_function_or_none(progress=progress)
    question = Question(limit, dimension, method, convention, processes)
    check_classifier(network)
    check_channels(data, network.preprocessing)
    check_whole(batch_size=batch_size)
    check_readable(network, layer)
    place = network.layer(layer)
    check_square(place.map_shape or (), f"maps of layer {layer!r}")
    side = (place.map_shape or (0,))[0]
    answer = _program(network.function, place.name, question, side)
    births = np.empty((len(data), place.units), np.int64)
    labels = np.empty(len(data), np.int64)
    done = 0
    for batch in batches(data, network.preprocessing, min(batch_size, len(data))):
        given = answer(network.params, batch.images)
        _check_finite(given, batch, done, layer)
        here = slice(done, done + int(batch.valid.sum()))
        births[here] = _births(given, question, side, len(batch.valid))[batch.valid]
        labels[here] = batch.labels[batch.valid]
        done = here.stop
        if progress is not None:
            progress(done, len(data))
    attributes = {
        "network": network.name,
        "layer": place.name,
        "unit_is": place.unit_is,
        "data": data.name,
        "split": data.split,
        "data_fingerprint": data.fingerprint,
        "vertices": side,
        "limit": limit,
        "dimension": dimension,
        "convention": convention,
    }
    classes = np.asarray(data.class_names, str)[labels]
    return xr.Dataset(
        {"birth_point": (("image", "unit"), births, {"units": "rank"})},
        coords={
            "image": np.arange(done),
            "unit": np.arange(births.shape[1]),
            "class": ("image", classes),
            "class_index": ("image", labels),
        },
        attrs=attributes,
    )


# Checkpoints and other networks of the same build ask for the same program again.
@kept
def _program(
    function: MaskedFunction, layer: str, question: Question, side: int
) -> Callable[[PyTree, Any], _Answer]:
    """From parameters and images to first holes, or to maps where ripser takes them all."""
    by_kernel = question.by_kernel(side) and side >= 2 * question.dimension + 2

    @jax.jit
    def answer(params: PyTree, images: Array) -> _Answer:
        with jax.default_matmul_precision("highest"):
            maps = function.activations(params, images, layer).astype(jnp.float32)
        finite = jnp.isfinite(maps).all((1, 2, 3))
        if by_kernel:
            found = find(maps, question.last_rank(side), signed=question.rules.signed)
            return _Answer(None, found, finite)
        return _Answer(maps, None, finite)

    return answer


def _check_finite(answer: _Answer, batch: Batch, first: int, layer: str) -> None:
    broken = np.flatnonzero(~np.asarray(answer.finite) & batch.valid)
    if len(broken):
        raise InputError(
            f"layer {layer!r} answers image {first + broken[0]} with a value that is not finite: "
            "look at the network's weights and at the image"
        )


def _births(
    answer: _Answer, question: Question, side: int, images: int
) -> Int64[np.ndarray, "images units"]:
    if answer.found is not None:
        ranks = settle(answer.found, side, question.last_rank(side))
        return question.counted(ranks.reshape(images, -1))
    return birth_points(
        answer.maps,
        limit=question.limit,
        dimension=question.dimension,
        method="ripser",
        convention=question.convention,
        processes=question.processes,
    )
