"""Any masks of one layer, as what is asked of the images."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float32
from numpy.typing import ArrayLike

from .. import execution
from .._arguments import as_array
from .._bounds import SEEDS, check_numbers
from .._errors import InputError
from ..data import Dataset
from ..execution import Files, Measurement, Progress, Read
from ..networks import Classifier, Layer
from ..networks._checks import check_data, check_parameters, check_readable
from ..results import fingerprint
from ._checks import checked_masks, checked_values
from ._counts import Outcomes, outcomes, tally
from ._engine import Engine
from ._execution import Execution
from ._masks import single_units
from ._means import unit_means
from ._question import Question, Resampling
from ._result import labelled

Values = str | ArrayLike


def measurement(
    network: Classifier,
    layer: Layer,
    data: Dataset,
    rows: Float32[np.ndarray, "masks units"],
    *,
    coordinates: Mapping[str, Any],
    variables: Mapping[str, Any],
    settings: Mapping[str, str],
    files: Files,
    carried_out: Execution,
    values: Values = "zero",
    reference: Dataset | None = None,
    seed: int = 0,
    other_masks: Mapping[str, ArrayLike] | None = None,
    basis: Float32[np.ndarray, "units directions"] | None = None,
) -> Measurement:
    """Any masks of one layer, as what is asked of the images; see `sweep` for what is not said.

    Args:
      network: the network.
      layer: the layer.
      data: the images.
      rows: the masks.
      coordinates: the dimensions that the masks are laid out in.
      variables: what is added to the result.
      settings: what the numbers depend on.
      files: where the result is kept.
      carried_out: how.
      values: what ablated units give.
      reference: images for the means, or to draw from.
      seed: of the draw.
      other_masks: masks of other layers.
      basis: orthonormal directions as columns, where those are ablated.
    """
    question = question_of(network, layer, rows, other_masks, basis)

    def compiled(read: Read) -> Engine:
        filled = fill(network, layer, values, reference or data, seed, carried_out)
        asked = dataclasses.replace(question, values=filled)
        return Engine(network, asked, read, carried_out, data.name)

    def finish(states: Callable[[], Iterator[Outcomes]]) -> dict[str, xr.Dataset]:
        counts = tally(states, len(rows) + 1, len(data.class_names))
        result = labelled(
            counts,
            coordinates=coordinates,
            class_names=data.class_names,
            attributes={"repeated_share": counts.repeated / max(1, len(data))},
        )
        return {layer.name: result.assign(variables)}

    return Measurement(
        settings={layer.name: settings},
        compile=compiled,
        observe=lambda answers: outcomes(answers, len(data.class_names)),
        kind=Outcomes,
        merge=None,
        finish=finish,
        files=files,
    )


def question_of(
    network: Classifier,
    layer: Layer,
    rows: Float32[np.ndarray, "masks units"],
    other_masks: Mapping[str, ArrayLike] | None,
    basis: Float32[np.ndarray, "units directions"] | None = None,
) -> Question:
    """Masks after one that keeps everything; ablated units give zero."""
    held, along = _others(network, layer, rows, other_masks)
    return Question(
        layer=layer,
        masks=with_first(rows),
        basis=basis,
        held=held,
        along={name: with_first(array) for name, array in along.items()},
    )


def reads(
    network: Classifier,
    data: Dataset,
    values: Values,
    reference: Dataset | None,
    seed: int,
    threads: int,
) -> Read:
    """What reads the images, and others beside them where ablated units give theirs."""
    partners = None
    if isinstance(values, str) and values == "resample":
        partners = Resampling(reference or data, seed).partners(data)
    return execution.reading(data, network.preprocessing, partners, threads=threads)


def answer(
    network: Classifier,
    layer: Layer,
    data: Dataset,
    rows: Float32[np.ndarray, "masks units"],
    *,
    file: str | Path | None,
    progress: Progress | bool | None,
    carried_out: Execution,
    values: Values = "zero",
    reference: Dataset | None = None,
    seed: int = 0,
    **asked: Any,
) -> xr.Dataset:
    """The result of any masks of one layer.

    Args:
      network: the network.
      layer: the layer.
      data: the images.
      rows: the masks.
      file: where it is kept.
      progress: as in `sweep`.
      carried_out: how.
      values: what ablated units give.
      reference: images for the means, or to draw from.
      seed: of the draw.
      **asked: of `measurement`.
    """
    one = measurement(
        network,
        layer,
        data,
        rows,
        files=Files.of(file, [layer.name], several=False),
        carried_out=carried_out,
        values=values,
        reference=reference,
        seed=seed,
        **asked,
    )
    read = reads(network, data, values, reference, seed, carried_out.decoding_threads)
    with execution.reporting(progress, f"ablating {layer.name}") as report:
        return execution.in_one_pass([one], read, carried_out, report)[0][layer.name]


def settings_of(
    network: Classifier,
    layer: str,
    data: Dataset,
    masks: ArrayLike | None,
    values: Values,
    reference: Dataset | None,
    seed: int,
    other_masks: Mapping[str, ArrayLike] | None,
    carried_out: Execution,
) -> dict[str, str]:
    """Everything that the numbers of any masks of a layer depend on; see `sweep_settings`."""
    place = network.layer(layer)
    check_data(network, data)
    check_parameters(network)
    named = isinstance(values, str)
    if named and values not in ("zero", "mean", "resample"):
        raise InputError(
            f"values={values!r}: give 'zero', 'mean', 'resample' or one number per unit"
        )
    check_numbers(seed=(seed, SEEDS))
    if reference is not None:
        check_data(network, reference)
    by_reference = named and values in ("mean", "resample")
    drawn = f" with seed {seed}" if named and values == "resample" else ""
    rows = single_units(place.units) if masks is None else checked_masks(masks, place)
    held, along = _others(network, place, rows, other_masks)
    return {
        **execution.provenance("sweep", network, place.name, data, carried_out),
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
    carried_out: Execution,
) -> Float32[np.ndarray, " units"] | Resampling | None:
    """What ablated units give, `[units]` or on other images; None for zero."""
    if not isinstance(values, str):
        return checked_values(values, layer)
    if values == "zero":
        return None
    if values == "resample":
        check_readable(network, layer.name)
        return Resampling(reference, seed)
    means = unit_means(
        network,
        layer.name,
        reference,
        progress=False,
        batch_size=carried_out.batch_size,
        max_memory=carried_out.max_memory,
        devices=carried_out.devices,
    )
    return means.astype(np.float32)


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
