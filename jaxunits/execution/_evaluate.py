"""The accuracy of a network, before anything is ablated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Unpack

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Float64, Int, Int64, PyTree

from .._arguments import from_options
from ..data import Dataset
from ..networks import Classifier
from ..networks._checks import check_data, check_images, check_parameters
from ..networks._function import MaskedFunction
from ..results import class_coordinates
from ._engine import Look, Seen
from ._execution import Execution, Options
from ._files import Files
from ._finite import check_finite
from ._look_engine import LookEngine
from ._measure import Measurement, check_call, in_one_pass
from ._pieces import Images, reading
from ._progress import Progress
from ._provenance import provenance
from ._states import added

_DESCRIPTIONS = {
    "n_images": ("images", "images of the class"),
    "correct": ("images", "correct images"),
    "loss_sum": ("nats", "sum of the images' cross-entropies"),
    "class_accuracy": ("share of images", "accuracy by class"),
    "overall_accuracy": ("share of images", "accuracy, all images"),
    "loss": ("nats per image", "mean cross-entropy, all images"),
}


class _Sums(NamedTuple):
    """Sums over some images, by class."""

    n_images: Int64[np.ndarray, " classes"]
    correct: Int64[np.ndarray, " classes"]
    loss_sum: Float64[np.ndarray, " classes"]


@dataclass(frozen=True)
class _Answers(Look):
    """The predictions of a network.

    Attributes:
      function: the network.
    """

    function: MaskedFunction

    def __call__(
        self, params: PyTree, inputs: Images, arguments: PyTree
    ) -> tuple[Int[Array, " images"], Float[Array, " images"]]:
        """The predicted classes and the cross-entropies."""
        del arguments
        logits = self.function(params, inputs.images, {}).astype(jnp.float32)
        own = jnp.take_along_axis(logits, inputs.labels[:, None], axis=1)[:, 0]
        return logits.argmax(1), jax.nn.logsumexp(logits, axis=1) - own


def evaluate(
    network: Classifier,
    data: Dataset,
    *,
    file: str | Path | None = None,
    progress: Progress | bool | None = None,
    **options: Unpack[Options],
) -> xr.Dataset:
    """Accuracy and loss of a network with nothing ablated.

    Check this first: if the accuracy is not the published one, the images or their preprocessing
    differ from those in training.

    Args:
      network: the network.
      data: the images.
      file: where the result is kept (netCDF), as in `ju.ablation.sweep`.
      progress: called with the images done and the total, after every batch; False for silence,
        None for a bar in a terminal or notebook.
      **options: execution options, see `Execution`.

    Returns:
      A Dataset with the dimension `class`: `n_images`, `correct`, `loss_sum` (nats),
      `class_accuracy` (NaN for a class without images); and of all images `overall_accuracy` and
      `loss` (nats per image). Provenance is in its attributes.

    Raises:
      InputError: there are no images, their channels or classes differ from the network's, or a
        parameter or logit is not a number.
    """
    check_call(network, file, progress)
    carried_out = from_options(Execution, options, evaluate)
    check_data(network, data)
    check_images(data)
    check_parameters(network)
    look = _Answers(network.function)
    asked = Measurement(
        settings={"evaluation": provenance("evaluate", network, None, data, carried_out)},
        compile=lambda read: LookEngine(network, look, read, carried_out, what="an evaluation"),
        observe=lambda seen: _observed(seen, data),
        kind=_Sums,
        merge=added,
        finish=lambda states: {"evaluation": _labeled(next(states()), data)},
        files=Files.of(file, ["evaluation"], several=False),
    )
    read = reading(data, network.preprocessing, carried_out)
    title = f"evaluating {network.name}"
    return in_one_pass([asked], read, carried_out, progress, title)[0]["evaluation"]


def _observed(seen: Iterator[Seen], data: Dataset) -> _Sums:
    """The sums over some images."""
    classes = len(data.class_names)
    sums = _Sums(*(np.zeros(classes, dtype) for dtype in (np.int64, np.int64, np.float64)))
    for each in seen:
        prediction, loss = each.found
        check_finite(loss, each.image, "a logit", data.name)
        labels = each.inputs.labels
        for total, values in zip(sums, (None, prediction == labels, loss), strict=True):
            total += np.bincount(labels, values, classes).astype(total.dtype)
    return sums


def _labeled(sums: _Sums, data: Dataset) -> xr.Dataset:
    result = xr.Dataset(
        {name: ("class", values) for name, values in sums._asdict().items()},
        coords=class_coordinates(data.class_names),
    )
    every = result.n_images.sum()
    result["class_accuracy"] = result.correct / result.n_images.where(result.n_images > 0)
    result["overall_accuracy"] = result.correct.sum() / every
    result["loss"] = result.loss_sum.sum() / every
    for name, (unit, description) in _DESCRIPTIONS.items():
        result[name].attrs = {"units": unit, "long_name": description}
    return result
