"""The sweep: a network under many masks of one layer, or of several."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack, overload

import numpy as np
import xarray as xr
from jaxtyping import Float32
from numpy.typing import ArrayLike

from .. import execution
from .._arguments import as_array, check_path_or_none, from_options
from .._bounds import SEEDS, check_numbers
from .._errors import InputError
from ..data import Dataset
from ..execution import Files, Measurement, Progress, Read
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
from ._counts import Outcomes, outcomes, tally
from ._engine import Engine
from ._execution import Execution, Options
from ._masks import single_units
from ._means import unit_means
from ._question import Question, Resampling
from ._result import labelled

Values = str | ArrayLike


@overload
def sweep(  # type: ignore[overload-overlap]
    network: Classifier,
    layers: str,
    data: Dataset,
    masks: ArrayLike | None = ...,
    *,
    values: Values = ...,
    reference: Dataset | None = ...,
    seed: int = ...,
    other_masks: Mapping[str, ArrayLike] | None = ...,
    file: str | Path | None = ...,
    progress: Progress | bool | None = ...,
    **options: Unpack[Options],
) -> xr.Dataset: ...


@overload
def sweep(
    network: Classifier,
    layers: Sequence[str] | None,
    data: Dataset,
    masks: None = ...,
    *,
    values: str = ...,
    reference: Dataset | None = ...,
    seed: int = ...,
    file: str | Path | None = ...,
    progress: Progress | bool | None = ...,
    **options: Unpack[Options],
) -> dict[str, xr.Dataset]: ...


def sweep(
    network: Classifier,
    layers: str | Sequence[str] | None,
    data: Dataset,
    masks: ArrayLike | None = None,
    *,
    values: Values = "zero",
    reference: Dataset | None = None,
    seed: int = 0,
    other_masks: Mapping[str, ArrayLike] | None = None,
    file: str | Path | None = None,
    progress: Progress | bool | None = None,
    **options: Unpack[Options],
) -> xr.Dataset | dict[str, xr.Dataset]:
    """Evaluate a network under many masks of one layer: what does every class lose?

    All masks are evaluated by compiled programs, streamed over the images. Counts are integers, and
    neither they nor the losses depend on the number of devices or processes.

    Args:
      network: a built-in one, or what `from_nnx`, `from_linen`, `from_torch` and `from_callable`
        return.
      layers: the layer whose units are ablated; or several, or None for all, whose units are
        ablated one at a time in one pass over the images.
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
        For several layers it is a folder, with a file for each.
      progress: called with the images done and the images in all, after every batch; False for
        silence, None for a bar where somebody looks.
      **options: how it is carried out, see `Execution`.

    Returns:
      For one layer a Dataset, for several a dictionary of them in the network's order, with the
      dimensions `unit` (or `mask`) and `class`: `correct`, `correct_before`, `broken`, `count`,
      `loss`, the accuracies and accuracy drops of paper A §2.1, and as `confusion`
      and `confusion_before` the classes that the images of the most damaged class are taken for;
      each with its unit of measure, and provenance as attributes: the path taken and why, sizes,
      the peak of memory, seconds. Of masks, `kept` tells which units each keeps. A class without
      images has NaN for its drop and is named in the attribute `empty_classes`.

    Raises:
      InputError: layer, masks, values, images, parameters, options or logits cannot be used.
    """
    execution.check_progress(progress)
    check_path_or_none(file=file)
    carried_out = from_options(Execution, options, sweep)
    check_classifier(network)
    names = network.chosen_layers(layers)
    single = isinstance(layers, str)
    if not single and (masks is not None or other_masks is not None or not isinstance(values, str)):
        raise InputError(
            "masks, other_masks or numbers as values with several layers: give one layer, or leave "
            "them out to ablate every unit of each layer alone"
        )
    rows = {
        name: single_units(network.layers[name].units)
        if masks is None
        else checked_masks(masks, network.layers[name])
        for name in names
    }
    asked = []
    for name in names:
        settings = _settings(
            network, name, data, masks, values, reference, seed, other_masks, carried_out
        )
        asked.append(
            measurement(
                network,
                network.layers[name],
                data,
                rows[name],
                coordinates={"unit" if masks is None else "mask": np.arange(len(rows[name]))},
                variables={} if masks is None else {"kept": (("mask", "unit"), rows[name])},
                settings=settings,
                values=values,
                reference=reference,
                seed=seed,
                other_masks=other_masks,
                files=Files.of(file, names, not single).part(name),
                carried_out=carried_out,
            )
        )
    read = reads(network, data, values, reference, seed)
    with execution.reporting(progress, f"ablating {', '.join(names)}") as report:
        found = execution.measure(asked, read, len(data), carried_out, report)
    return found[names[0]] if single else {name: found[name] for name in names}


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
    held, along = _others(network, layer, rows, other_masks)

    def compiled() -> Engine:
        question = Question(
            layer=layer,
            masks=with_first(rows),
            values=fill(network, layer, values, reference or data, seed, carried_out),
            basis=basis,
            held=held,
            along={name: with_first(array) for name, array in along.items()},
        )
        return Engine(network, question, len(data), carried_out, data.name)

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


def reads(
    network: Classifier, data: Dataset, values: Values, reference: Dataset | None, seed: int
) -> Read:
    """What reads the images, and others beside them where ablated units give theirs."""
    partners = None
    if isinstance(values, str) and values == "resample":
        partners = Resampling(reference or data, seed).partners(data)
    return execution.reading(data, network.preprocessing, partners)


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
    read = reads(network, data, values, reference, seed)
    with execution.reporting(progress, f"ablating {layer.name}") as report:
        return execution.measure([one], read, len(data), carried_out, report)[layer.name]


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
    **options: Unpack[Options],
) -> dict[str, str]:
    """Everything that the numbers of a sweep depend on; two sweeps with equal settings are equal.

    They are attributes of the sweep's result. See `sweep` for the arguments.

    Raises:
      InputError: layer, masks, values, images or parameters cannot be used.
    """
    check_classifier(network)
    carried_out = from_options(Execution, options, sweep_settings)
    return _settings(network, layer, data, masks, values, reference, seed, other_masks, carried_out)


def _settings(
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
        **execution.provenance(network, place.name, data, carried_out),
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
