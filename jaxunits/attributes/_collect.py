"""Every attribute of units that activations and derivatives tell, in one pass over the images."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Unpack, overload

import jax
import numpy as np
import xarray as xr

from .._arguments import check_function_or_none, check_whole_or_none, from_options
from .._errors import InputError
from ..data import Dataset
from ..networks import Classifier, check_classifier, check_data, check_parameters
from ..results import class_coordinates, environment
from ._choices import Choices, Options
from ._collector import Collector, Variable
from ._gather import States, gather
from ._l1_norm import known_l1_norm
from ._pass import compile_pass
from ._seen import look
from ._shares import of_all_processes, share


@overload
def collect(  # type: ignore[overload-overlap]
    network: Classifier,
    layers: str,
    data: Dataset,
    *,
    batch_size: int | None = ...,
    progress: Callable[[int, int], None] | None = ...,
    **options: Unpack[Options],
) -> xr.Dataset: ...


@overload
def collect(
    network: Classifier,
    layers: Sequence[str] | None,
    data: Dataset,
    *,
    batch_size: int | None = ...,
    progress: Callable[[int, int], None] | None = ...,
    **options: Unpack[Options],
) -> dict[str, xr.Dataset]: ...


def collect(
    network: Classifier,
    layers: str | Sequence[str] | None,
    data: Dataset,
    *,
    batch_size: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    **options: Unpack[Options],
) -> xr.Dataset | dict[str, xr.Dataset]:
    """Measure the attributes of units of paper A §2.2 and their rivals, in one pass.

    Images are shared out among all local devices and, in a cluster job, among its processes; every
    process gets the whole result. Sums are taken in float64, so that numbers do not depend on who
    took which image but for rounding at its last digits. Memory does not grow with the images.

    Args:
      network: any network that shows its activations.
      layers: a layer, several of them, or None for all.
      data: the images.
      batch_size: images a batch and device; by default 32 on CPUs and 256 elsewhere.
      progress: called with the images done and in all, after every batch.
      **options: what is collected, see `Choices`.

    Returns:
      For one layer a Dataset, for several a dictionary of them in the network's order. By `unit`:
      `l1_norm` (left out where a layer has no weights of its own), `class_correlation`,
      `class_selectivity`, `activation_mean`, `activation_std`, `activation_max`, `apoz` (Hu et al.
      2016's average percentage of zeros, as a share: the positions of all images at which the unit
      is exactly 0, few where values have both signs), `silent_share` (the share of images on which
      the unit is zero everywhere), `gradient` (mean |∂loss/∂mask|, Molchanov et al. 2017), `taylor`
      (−∂loss/∂mask, what the loss gains to first order) and `random` (uniform, the baseline). By
      `unit` and `class`: `class_mean`, `class_correlation_by_class`, `class_selectivity_by_class`,
      `taylor_by_class`, `gradient_by_class`. By `unit` and `rank`: `top_image`, `top_activation`.
      A class without images has NaN or 0 and is named in the attribute `empty_classes`. Class
      selectivity lies in 0 to 1 only for activations that are nowhere negative; where a class mean
      is negative the variable's `long_name` says so.

    Raises:
      InputError: a layer does not exist, the network does not show its activations, images or
        parameters cannot be used, an activation is not a number, or an option is out of range.
    """
    check_function_or_none(progress=progress)
    check_classifier(network)
    names = _names(network, layers)
    choices = from_options(Choices, options, collect)
    settings = collect_settings(network, names, data, **options)
    check_whole_or_none(batch_size=batch_size)
    if batch_size is not None and batch_size < 1:
        raise InputError(f"batch_size={batch_size}: give at least 1")
    if batch_size is not None:
        batch_size = min(batch_size, -(-len(data) // jax.local_device_count()))
    collectors = choices.collectors()
    start, stop = share(len(data))
    one_pass = compile_pass(
        network,
        look(network, names, activation=choices.activation, gradients=choices.gradients),
        batch_size,
    )
    began = time.perf_counter()
    states = gather(one_pass, data, collectors, start=start, stop=stop, progress=progress)
    whole = of_all_processes(states, collectors)
    timing = {
        "compile_seconds": round(one_pass.compile_seconds, 3),
        "run_seconds": round(time.perf_counter() - began, 3),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    draw = np.random.default_rng(choices.seed)
    found = {
        name: _labelled(network, name, data, collectors, whole[name], draw).assign_attrs(
            {**settings[name], **environment(jax.local_devices()), **timing}
        )
        for name in names
    }
    return found[names[0]] if isinstance(layers, str) else found


def collect_settings(
    network: Classifier,
    layers: str | Sequence[str] | None,
    data: Dataset,
    **options: Unpack[Options],
) -> dict[str, dict[str, str]]:
    """Everything that the attributes depend on, by layer; they are attributes of the results.

    See `collect` for the arguments.

    Raises:
      InputError: as `collect`, but for what only activations show.
    """
    check_classifier(network)
    check_data(network, data)
    check_parameters(network)
    choices = from_options(Choices, options, collect_settings)
    if len(data) == 0:
        raise InputError(f"data {data.name!r} holds no images: give at least one")
    common = {
        "network": network.name,
        "architecture": network.architecture.arguments if network.architecture else "",
        "parameters": network.fingerprint,
        "preprocessing": str(network.preprocessing),
        "data": data.name,
        "split": data.split,
        "data_fingerprint": data.fingerprint,
        **{key: str(value) for key, value in asdict(choices).items()},
    }
    order = list(network.layers)
    return {
        name: {
            **common,
            "layer": name,
            "unit_is": network.layers[name].unit_is,
            "layer_number": str(order.index(name)),
        }
        for name in _names(network, layers)
    }


def _names(network: Classifier, layers: str | Sequence[str] | None) -> list[str]:
    """Layers in the network's order.

    Raises:
      InputError: there are none, or one does not exist.
    """
    given: Any = network.layers if layers is None else layers
    given = [layers] if isinstance(layers, str) else given
    if not isinstance(given, Collection) or not len(given):
        raise InputError(
            f"layers={layers!r}: give the name of a layer, a list of at least one, or None for all"
        )
    chosen = {network.layer(name).name for name in given}
    return [name for name in network.layers if name in chosen]


def _labelled(
    network: Classifier,
    layer: str,
    data: Dataset,
    collectors: Sequence[Collector[Any]],
    states: States,
    draw: np.random.Generator,
) -> xr.Dataset:
    """The attributes of a layer, the scalars first."""
    units = network.layers[layer].units
    variables: dict[str, Variable] = {}
    norms = known_l1_norm(network, layer)
    if norms is not None:
        variables["l1_norm"] = Variable(
            ("unit",), norms, "", "L1 norm of the incoming weights, paper A eq. 1"
        )
    for collector, state in zip(collectors, states, strict=True):
        variables |= collector.finish(state)
    variables["random"] = Variable(("unit",), draw.random(units), "", "a uniform random number")
    present = np.unique(data.labels)
    names = [str(name) for name in data.class_names]
    empty = [name for label, name in enumerate(names) if label not in present]
    return xr.Dataset(
        {
            name: xr.Variable(
                variable.dims,
                variable.values,
                {"units": variable.units, "long_name": variable.description},
            )
            for name, variable in sorted(variables.items(), key=lambda item: len(item[1].dims))
        },
        coords={"unit": np.arange(units), **class_coordinates(names)},
        attrs={"empty_classes": ", ".join(empty), "images": len(data)},
    )
