"""The reference path of ablation: masks under `vmap`, for any network."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
import xarray as xr
from jaxtyping import Float32
from numpy.typing import ArrayLike

from .._errors import InputError
from ..data import Dataset, batches
from ..networks import Functional, Layer, functional
from ..results import environment, fingerprint
from ._checks import check_data, check_parameters, checked_masks, checked_values
from ._counts import count
from ._masks import single_units
from ._means import unit_means
from ._program import compile_program
from ._result import labelled

Values = str | ArrayLike


def sweep(
    network: Any,
    layer: str,
    data: Dataset,
    masks: ArrayLike | None = None,
    *,
    values: Values = "zero",
    reference: Dataset | None = None,
    batch_size: int = 128,
    masks_at_once: int | None = None,
    max_memory: int = 2**30,
    devices: Sequence[jax.Device] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Evaluate a network under many masks of one layer: what does every class lose?

    All masks are evaluated in one compiled program, streamed over the images. Counts are integers,
    and neither they nor the losses depend on the number of devices.

    Args:
      network: a `Network`, or what `from_nnx`, `from_linen` and `from_callable` return.
      layer: the layer whose units are ablated.
      data: the images, held out from training.
      masks: `[masks, units]`: 1 keeps a unit, 0 ablates it. None ablates every unit of the layer,
        one at a time.
      values: what an ablated unit gives for every input: `"zero"`, `"mean"` (its mean over
        `reference`), or one number a unit.
      reference: images for the means; `data` by default.
      batch_size: images a batch and device, at most.
      masks_at_once: masks that are evaluated together under `vmap`, at most; one after another on
        CPUs by default (measured to be the fastest there), as many as fit elsewhere.
      max_memory: bytes that the largest intermediate array may take on a device. It bounds the
        masks at once and, where one mask is too many, lowers the batch.
      devices: where to compute; all local devices by default. Images are shared out among them.
      progress: called with the images done and the images in all, after every batch.

    Returns:
      A Dataset with the dimensions `unit` (or `mask`) and `class`: `correct`, `correct_before`,
      `count`, `loss` and the accuracy drops of paper A §2.1, each with its unit of measure, and
      provenance as attributes. A class without images has NaN for its drop and is named in the
      attribute `empty_classes`.

    Raises:
      InputError: layer, masks, values, images, parameters or logits cannot be used.
    """
    network = functional(network)
    place = network.layer(layer)
    if min(batch_size, max_memory, 1 if masks_at_once is None else masks_at_once) < 1:
        raise InputError(
            f"batch_size={batch_size}, masks_at_once={masks_at_once}, max_memory={max_memory}: "
            "give numbers above 0"
        )
    settings = sweep_settings(network, layer, data, masks, values=values, reference=reference)
    rows = single_units(place.units) if masks is None else checked_masks(masks, place)
    fill = _fill(network, place, values, reference or data, batch_size)
    devices = jax.local_devices() if devices is None else devices
    started = time.perf_counter()
    program = compile_program(
        network,
        place,
        rows,
        fill,
        devices=devices,
        batch_size=min(batch_size, len(data)),
        masks_at_once=masks_at_once,
        max_memory=max_memory,
    )
    compiled = time.perf_counter()
    stream = batches(data, network.preprocessing, program.batch_size)
    counts = count(program, stream, len(rows), data, f"layer {layer!r}", progress)
    timing = {
        "compile_seconds": round(compiled - started, 3),
        "run_seconds": round(time.perf_counter() - compiled, 3),
        "masks_at_once": program.masks_at_once,
    }
    return labelled(
        counts,
        masks=None if masks is None else rows,
        class_names=data.class_names,
        attributes={**settings, **environment(devices), **timing},
    )


def sweep_settings(
    network: Any,
    layer: str,
    data: Dataset,
    masks: ArrayLike | None = None,
    *,
    values: Values = "zero",
    reference: Dataset | None = None,
) -> dict[str, str]:
    """Everything that the numbers of a sweep depend on; two sweeps with equal settings are equal.

    They are attributes of the sweep's result. See `sweep` for the arguments.

    Raises:
      InputError: layer, masks, values, images or parameters cannot be used.
    """
    network = functional(network)
    place = network.layer(layer)
    check_data(network, data)
    check_parameters(network)
    named = isinstance(values, str)
    if named and values not in ("zero", "mean"):
        raise InputError(f"values={values!r}: give 'zero', 'mean' or one number a unit")
    if reference is not None:
        check_data(network, reference)
    by_mean = named and values == "mean"
    return {
        "network": network.name,
        "architecture": network.architecture,
        "parameters": fingerprint(network.params),
        "preprocessing": str(network.preprocessing),
        "layer": layer,
        "data": data.name,
        "split": data.split,
        "data_fingerprint": data.fingerprint,
        "skipped_files": str(len(data.skipped)),
        "masks": "single units" if masks is None else fingerprint(checked_masks(masks, place)),
        "values": str(values) if named else fingerprint(checked_values(values, place)),
        "reference_fingerprint": (reference or data).fingerprint if by_mean else "",
    }


def _fill(
    network: Functional, layer: Layer, values: Values, reference: Dataset, batch_size: int
) -> Float32[np.ndarray, " units"] | None:
    """What ablated units give, `[units]`; None for zero."""
    if not isinstance(values, str):
        return checked_values(values, layer)
    if values == "zero":
        return None
    means = unit_means(network, layer.name, reference, batch_size=batch_size)
    return means.astype(np.float32)
