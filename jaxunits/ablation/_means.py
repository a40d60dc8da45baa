"""The mean activation of a unit: a value to ablate to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Unpack

import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Float64, Int64, PyTree

from .. import execution
from .._arguments import from_options
from ..data import Dataset
from ..execution import Files, Images, Look, LookEngine, Measurement, Progress, Seen, check_finite
from ..networks import Classifier
from ..networks._checks import check_readable_on
from ..networks._function import MaskedFunction


class _Sums(NamedTuple):
    """Sums over some images.

    Attributes:
      images: how many.
      sums: of the means of their maps.
    """

    images: Int64[np.ndarray, ""]
    sums: Float64[np.ndarray, " units"]


@dataclass(frozen=True)
class _Means(Look):
    """A function of parameters and images: the mean of each unit's map.

    Attributes:
      function: the network.
      layer: the layer.
    """

    function: MaskedFunction
    layer: str

    def __call__(
        self, params: PyTree, inputs: Images, arguments: PyTree
    ) -> Float[Array, "images units"]:
        """Means over positions."""
        del arguments
        maps = self.function.activations(params, inputs.images, self.layer).astype(jnp.float32)
        return maps.reshape(len(maps), -1, maps.shape[-1]).mean(1)


def unit_means(
    network: Classifier,
    layer: str,
    data: Dataset,
    *,
    file: str | Path | None = None,
    progress: Progress | bool | None = None,
    **options: Unpack[execution.Options],
) -> Float64[np.ndarray, " units"]:
    """Mean of each unit's activations over all images and positions (Morcos et al. 2018).

    Args:
      network: any network of `jaxunits.networks`.
      layer: one of its layers.
      data: the reference images.
      file: where they are kept (netCDF), as in `sweep`.
      progress: called with the images done and the images in all, after every batch; False for
        silence, None for a bar in a terminal or notebook.
      **options: execution options, see `ju.Execution`.

    Returns:
      `[units]`, in the units of the activations.

    Raises:
      InputError: there is no such layer, or the network does not show its activations.
    """
    execution.check_call(network, file, progress)
    carried_out = from_options(execution.Execution, options, unit_means)
    place = check_readable_on(network, layer, data)

    def observe(batches: Iterator[Seen]) -> _Sums:
        seen = list(batches)
        means = np.concatenate([each.found for each in seen])
        image = np.concatenate([each.image for each in seen])
        check_finite(means, image, f"activation of layer {layer!r}", data.name)
        return _Sums(np.asarray(len(means)), means.astype(np.float64).sum(0))

    look = _Means(network.function, place.name)
    asked = Measurement(
        settings={
            place.name: execution.provenance("unit_means", network, place.name, data, carried_out)
        },
        compile=lambda read: LookEngine(
            network, look, read, carried_out, what=f"means of layer {place.name!r}"
        ),
        observe=observe,
        kind=_Sums,
        merge=execution.added,
        finish=lambda states: {place.name: _labeled(*states())},
        files=Files.of(file, [place.name], several=False),
    )
    read = execution.reading(data, network.preprocessing, carried_out)
    title = f"means of {place.name}"
    (found,) = execution.in_one_pass([asked], read, carried_out, progress, title, last=False)
    return found[place.name].sums.values / found[place.name].images.values


def _labeled(whole: _Sums) -> xr.Dataset:
    return xr.Dataset({"images": whole.images, "sums": ("unit", whole.sums)})
