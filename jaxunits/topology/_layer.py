"""Birth points of a network's layer, image by image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Unpack

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Int64, PyTree

from .._arguments import from_options
from .._errors import InputError
from ..data import Dataset
from ..execution import (
    Execution,
    Files,
    Images,
    Look,
    LookEngine,
    Measurement,
    Options,
    Progress,
    Seen,
    Wanted,
    check_call,
    check_finite,
    finite_mark,
    in_one_pass,
    joined,
    provenance,
    reading,
)
from ..networks import Classifier
from ..networks._checks import check_readable_on
from ..networks._function import MaskedFunction
from ._birth_points import birth_points
from ._edges import check_square
from ._found import Found, find, settle
from ._question import Question


class Births(NamedTuple):
    """Birth points on some images.

    Attributes:
      births: the birth point of each unit's map.
      labels: the images' classes.
    """

    births: Int64[np.ndarray, "images units"]
    labels: Int64[np.ndarray, " images"]


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
    file: str | Path | None = None,
    progress: Progress | bool | None = None,
    **options: Unpack[Options],
) -> xr.Dataset:
    """Birth points of all units of a layer on every image (Zhao and Zhang 2021, §3.2).

    Maps are computed, reduced to birth points and dropped in one program, batch by batch: memory
    grows with the images by one number per image and unit. Maps come to the host only if ripser is
    requested.

    Args:
      network: the network.
      layer: one of its layers, with square maps.
      data: the images.
      limit: as for `birth_points`.
      dimension: as for `birth_points`.
      method: as for `birth_points`.
      convention: as for `birth_points`.
      processes: as for `birth_points`.
      file: where the result is kept (netCDF), as in `ju.ablation.sweep`.
      progress: called with the images done and the total, after every batch; False for
        silence, None for a bar in a terminal or notebook.
      **options: execution options, see `ju.Execution`.

    Returns:
      A Dataset by `image` (an index into `data`) and `unit`: `birth_point`, 0 for none; `class`
      and `class_index`, the name and the label of each image's class.

    Raises:
      InputError: as `birth_points`; the layer does not exist or has no square maps, the network
        does not show its activations, or an activation is not finite.
    """
    check_call(network, file, progress)
    execution = from_options(Execution, options, layer_birth_points)
    question = Question(limit, dimension, method, convention, processes)
    place = check_readable_on(network, layer, data)
    files = Files.of(file, [place.name], several=False)
    asked = _measurement(network, place.name, data, question, execution, files)
    read = reading(data, network.preprocessing, execution)
    title = f"birth points of {place.name}"
    return in_one_pass([asked], read, execution, progress, title)[0][place.name]


@dataclass(frozen=True)
class BirthPoints(Wanted):
    """Birth points of some layers' units, in a pass of `ju.measure`; see `layer_birth_points`.

    Attributes:
      layers: a layer, several of them, or None for all with square maps.
      limit: as for `birth_points`.
      dimension: as for `birth_points`.
      method: as for `birth_points`.
      convention: as for `birth_points`.
      processes: as for `birth_points`.
    """

    kind = "births"

    layers: str | Sequence[str] | None = None
    limit: int = 50
    dimension: int = 1
    method: str = "auto"
    convention: str = "paper"
    processes: int = 1

    def measurements(
        self,
        network: Classifier,
        data: Dataset,
        carried_out: Execution,
        files: Callable[[Sequence[str]], Files],
    ) -> list[Measurement]:
        """One per layer."""
        question = Question(
            self.limit, self.dimension, self.method, self.convention, self.processes
        )
        names = network.chosen_layers(self.layers)
        if self.layers is None:
            layers = network.layers
            names = [
                name
                for name in names
                if layers[name].has_maps and len({*(layers[name].map_shape or ())}) == 1
            ]
        for name in names:
            check_readable_on(network, name, data)
        return [
            _measurement(network, name, data, question, carried_out, files(names).part(name))
            for name in names
        ]


def _measurement(
    network: Classifier,
    layer: str,
    data: Dataset,
    question: Question,
    execution: Execution,
    files: Files,
) -> Measurement:
    """The birth points of a layer, as a measurement."""
    place = network.layers[layer]
    shape = place.map_shape or ()
    check_square(shape, f"maps of layer {layer!r}")
    if not place.has_maps:
        raise InputError(
            f"the {shape[0]}×{shape[1]} numbers of a unit of layer {layer!r} are not known to be "
            "rows and columns, such as tokens and the features of a head: give a layer with maps"
        )
    side = shape[0]
    look = _look(network.function, layer, question, side)
    settings = {
        **provenance("layer_birth_points", network, layer, data, execution),
        "vertices": str(side),
        "limit": str(question.limit),
        "dimension": str(question.dimension),
        "convention": question.convention,
    }

    def observe(seen: Iterator[Seen]) -> Births:
        parts = []
        for each in seen:
            check_finite(each.found[1], each.image, f"activation of layer {layer!r}", data.name)
            parts.append(Births(each.found[0], each.inputs.labels.astype(np.int64)))
        return joined(parts)

    return Measurement(
        settings={layer: settings},
        compile=lambda read: LookEngine(
            network, look, read, execution, what=f"birth points of layer {layer!r}"
        ),
        observe=observe,
        kind=Births,
        merge=None,
        finish=lambda states: {layer: _labeled(joined(states()), data)},
        files=files,
    )


@dataclass(frozen=True)
class _ByKernel(Look):
    """First holes of a layer's maps, found on the device.

    Attributes:
      function: the network.
      layer: the layer.
      question: which birth points.
      side: of the maps.
    """

    function: MaskedFunction
    layer: str
    question: Question
    side: int

    axis = -1

    def __call__(
        self, params: PyTree, inputs: Images, arguments: PyTree
    ) -> tuple[Found, Float[Array, " images"]]:
        """What the kernel has found, and of each image a mark of what is not finite."""
        del arguments
        maps = self.function.activations(params, inputs.images, self.layer).astype(jnp.float32)
        last, signed = self.question.last_rank(self.side), self.question.rules.signed
        return find(maps, last, signed=signed), finite_mark(maps)

    def settled(
        self, found: tuple[Found, Any], images: int
    ) -> tuple[Int64[np.ndarray, "images units"], Float[np.ndarray, " images"]]:
        """Birth points, and the number of each image."""
        # Programs of several devices have to be met in one order, and threads have none.
        one_device = len(found[1].devices()) == 1
        holes, sums = found if one_device else jax.device_get(found)
        ranks = settle(holes, self.side, self.question.last_rank(self.side))
        births = self.question.counted(ranks.reshape(len(sums), -1))
        return births[:images], np.asarray(sums)[:images]


@dataclass(frozen=True)
class _ByRipser(_ByKernel):
    """First holes of a layer's maps, all of which ripser takes."""

    axis = 0

    def __call__(
        self, params: PyTree, inputs: Images, arguments: PyTree
    ) -> tuple[Any, Float[Array, " images"]]:
        """The maps, and of each image a mark of what is not finite."""
        del arguments
        maps = self.function.activations(params, inputs.images, self.layer).astype(jnp.float32)
        return maps, finite_mark(maps)

    def settled(
        self, found: tuple[Any, Any], images: int
    ) -> tuple[Int64[np.ndarray, "images units"], Float[np.ndarray, " images"]]:
        """Birth points, and the number of each image."""
        maps, sums = (np.asarray(part)[:images] for part in found)
        asked = self.question
        # Values that are not numbers are reported by image.
        births = birth_points(
            np.where(np.isfinite(maps), maps, 0),
            limit=asked.limit,
            dimension=asked.dimension,
            method="ripser",
            convention=asked.convention,
            processes=asked.processes,
        )
        return births, sums


def _look(function: MaskedFunction, layer: str, question: Question, side: int) -> Look:
    by_kernel = question.by_kernel(side) and side >= 2 * question.dimension + 2
    return (_ByKernel if by_kernel else _ByRipser)(function, layer, question, side)


def _labeled(found: Births, data: Dataset) -> xr.Dataset:
    births, labels = found
    return xr.Dataset(
        {"birth_point": (("image", "unit"), births, {"units": "rank"})},
        coords={
            "image": np.arange(len(births)),
            "unit": np.arange(births.shape[1]),
            "class": ("image", np.asarray(data.class_names, str)[labels]),
            "class_index": ("image", labels),
        },
    )
