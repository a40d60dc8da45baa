"""The sweep: a network under many masks of one layer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import xarray as xr
from jaxtyping import Float32
from numpy.typing import ArrayLike

from .._arguments import as_array, check_function_or_none, check_path_or_none, from_options
from .._bounds import SEEDS, check_numbers
from .._errors import InputError
from ..data import Dataset
from ..networks import (
    Classifier,
    Layer,
    check_classifier,
    check_data,
    check_parameters,
    check_readable,
)
from ..results import fingerprint
from ._checks import checked_masks, checked_values
from ._execution import Execution, Options
from ._masks import single_units
from ._means import unit_means
from ._measure import Progress, measure
from ._question import Question, Resampling
from ._result import labelled
from ._tally import Counts

Values = str | ArrayLike


def sweep(
    network: Classifier,
    layer: str,
    data: Dataset,
    masks: ArrayLike | None = None,
    *,
    values: Values = "zero",
    reference: Dataset | None = None,
    seed: int = 0,
    other_masks: Mapping[str, ArrayLike] | None = None,
    file: str | Path | None = None,
    progress: Progress | None = None,
    **options: Unpack[Options],
) -> xr.Dataset:
    """Evaluate a network under many masks of one layer: what does every class lose?

    All masks are evaluated by compiled programs, streamed over the images. Counts are integers, and
    neither they nor the losses depend on the number of devices or processes.

    Args:
      network: a built-in one, or what `from_nnx`, `from_linen`, `from_torch` and `from_callable`
        return.
      layer: the layer whose units are ablated.
      data: the images, held out from training.
      masks: `[masks, units]`: 1 keeps a unit, 0 ablates it. None ablates every unit of the layer,
        one at a time.
      values: what an ablated unit gives: `"zero"`, `"mean"` (its mean over `reference`), one number
        a unit, or `"resample"`, its activations on another image of `reference`, drawn at random
        for each image and the same for all units.
      reference: images for the means, or to draw from; `data` by default.
      seed: of the draw.
      other_masks: masks of other layers, to zero: `[units]` applies throughout, before ablation
        too, `[masks, units]` goes along with `masks`.
      file: where the result is kept (netCDF). What is done so far lies beside it, so that the same
        call goes on after a kill; a finished one is read, one of other settings refused, and one
        that another process is measuring waited for, of which the log tells.
      progress: called with the images done and the images in all, after every batch.
      **options: how it is carried out, see `Execution`.

    Returns:
      A Dataset with the dimensions `unit` (or `mask`) and `class`: `correct`, `correct_before`,
      `broken`, `count`, `loss`, the accuracies and accuracy drops of paper A §2.1, and as
      `confusion` and `confusion_before` the classes that the images of the most damaged class are
      taken for; each with its unit of measure, and provenance as attributes: the path taken and
      why, sizes, the peak of memory, seconds. Of masks, `kept` tells which units each keeps. A
      class without images has NaN for its drop and is named in the attribute `empty_classes`.

    Raises:
      InputError: layer, masks, values, images, parameters, options or logits cannot be used.
    """
    check_function_or_none(progress=progress)
    check_path_or_none(file=file)
    execution = from_options(Execution, options, sweep)
    check_classifier(network)
    place = network.layer(layer)
    rows = single_units(place.units) if masks is None else checked_masks(masks, place)
    settings = sweep_settings(
        network,
        layer,
        data,
        masks,
        values=values,
        reference=reference,
        seed=seed,
        other_masks=other_masks,
    )
    return answer(
        network,
        place,
        data,
        rows,
        coordinates={"unit" if masks is None else "mask": np.arange(len(rows))},
        variables={} if masks is None else {"kept": (("mask", "unit"), rows)},
        settings=settings,
        values=values,
        reference=reference,
        seed=seed,
        other_masks=other_masks,
        file=file,
        progress=progress,
        execution=execution,
    )


def answer(
    network: Classifier,
    layer: Layer,
    data: Dataset,
    rows: Float32[np.ndarray, "masks units"],
    *,
    coordinates: Mapping[str, Any],
    variables: Mapping[str, Any],
    settings: Mapping[str, str],
    execution: Execution,
    values: Values = "zero",
    reference: Dataset | None = None,
    seed: int = 0,
    other_masks: Mapping[str, ArrayLike] | None = None,
    basis: Float32[np.ndarray, "units directions"] | None = None,
    file: str | Path | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """The labelled result of any masks of one layer; see `sweep` for what is not said here.

    Args:
      network: the network.
      layer: the layer.
      data: the images.
      rows: the masks.
      coordinates: the dimensions that the masks are laid out in.
      variables: what is added to the result.
      settings: what the numbers depend on.
      execution: how it is carried out.
      values: what ablated units give.
      reference: images for the means, or to draw from.
      seed: of the draw.
      other_masks: masks of other layers.
      basis: orthonormal directions as columns, where those are ablated.
      file: where the result is kept.
      progress: called after every batch.
    """
    held, along = _others(network, layer, rows, other_masks)
    question = Question(
        layer=layer,
        masks=with_first(rows),
        values=fill(network, layer, values, reference or data, seed, execution),
        basis=basis,
        held=held,
        along={name: with_first(array) for name, array in along.items()},
    )

    def label(counts: Counts, attributes: Mapping[str, Any]) -> xr.Dataset:
        return labelled(
            counts,
            coordinates=coordinates,
            class_names=data.class_names,
            attributes=attributes,
        ).assign(variables)

    return measure(
        network,
        question,
        data,
        execution,
        settings=settings,
        label=label,
        file=file,
        progress=progress,
    )


def sweep_settings(
    network: Classifier,
    layer: str,
    data: Dataset,
    masks: ArrayLike | None = None,
    *,
    values: Values = "zero",
    reference: Dataset | None = None,
    seed: int = 0,
    other_masks: Mapping[str, ArrayLike] | None = None,
) -> dict[str, str]:
    """Everything that the numbers of a sweep depend on; two sweeps with equal settings are equal.

    They are attributes of the sweep's result. See `sweep` for the arguments.

    Raises:
      InputError: layer, masks, values, images or parameters cannot be used.
    """
    check_classifier(network)
    place = network.layer(layer)
    check_data(network, data)
    check_parameters(network)
    named = isinstance(values, str)
    if named and values not in ("zero", "mean", "resample"):
        raise InputError(f"values={values!r}: give 'zero', 'mean', 'resample' or one number a unit")
    check_numbers(seed=(seed, SEEDS))
    if reference is not None:
        check_data(network, reference)
    by_reference = named and values in ("mean", "resample")
    drawn = f" with seed {seed}" if named and values == "resample" else ""
    rows = single_units(place.units) if masks is None else checked_masks(masks, place)
    held, along = _others(network, place, rows, other_masks)
    return {
        "network": network.name,
        "architecture": network.architecture.arguments if network.architecture else "",
        "parameters": network.fingerprint,
        "preprocessing": str(network.preprocessing),
        "layer": place.name,
        "unit_is": place.unit_is,
        "layer_number": str(list(network.layers).index(place.name)),
        "data": data.name,
        "split": data.split,
        "data_fingerprint": data.fingerprint,
        "skipped_files": str(len(data.skipped)),
        "masks": "single units" if masks is None else fingerprint(rows),
        "other_masks": fingerprint({**held, **along}) if other_masks else "none",
        "values": str(values) + drawn if named else fingerprint(checked_values(values, place)),
        "reference_fingerprint": (reference or data).fingerprint if by_reference else "",
    }


def with_first(masks: Float32[np.ndarray, "masks units"]) -> Float32[np.ndarray, "rows units"]:
    """Masks after a first one that keeps everything."""
    return np.concatenate([np.ones((1, masks.shape[1]), np.float32), masks])


def fill(
    network: Classifier,
    layer: Layer,
    values: Values,
    reference: Dataset,
    seed: int,
    execution: Execution,
) -> Float32[np.ndarray, " units"] | Resampling | None:
    """What ablated units give, `[units]` or on other images; None for zero."""
    if not isinstance(values, str):
        return checked_values(values, layer)
    if values == "zero":
        return None
    if values == "resample":
        check_readable(network, layer.name)
        return Resampling(reference, seed)
    size = execution.batch_size or 128
    return unit_means(network, layer.name, reference, batch_size=size).astype(np.float32)


def _others(
    network: Classifier,
    layer: Layer,
    rows: Float32[np.ndarray, "masks units"],
    other_masks: Mapping[str, ArrayLike] | None,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Masks of other layers that apply throughout, and those that go along with the masks."""
    held: dict[str, np.ndarray] = {}
    along: dict[str, np.ndarray] = {}
    if other_masks is not None and not isinstance(other_masks, Mapping):
        raise InputError(
            f"other_masks of type {type(other_masks).__name__}: give a dictionary from layers to "
            "their masks"
        )
    for name, given in (other_masks or {}).items():
        place = network.layer(name)
        if place.name == layer.name:
            raise InputError(f"other_masks hold layer {place.name!r} too: give its masks as masks")
        if place.name in {**held, **along}:
            raise InputError(f"other_masks hold layer {place.name!r} twice: give one of its names")
        array = as_array(given, f"masks for layer {name!r}")
        if array.ndim == 1:
            held[place.name] = checked_masks(array[None], place)[0]
            continue
        masks = along[place.name] = checked_masks(array, place)
        if len(masks) != len(rows):
            raise InputError(
                f"{len(masks)} masks of layer {name!r} in other_masks beside {len(rows)} "
                "masks: give as many, or one mask [units] that applies throughout"
            )
    return held, along
