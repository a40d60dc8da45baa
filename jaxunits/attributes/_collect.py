"""Every attribute of units from activations and derivatives, in one pass over the images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Unpack, overload

import numpy as np
import xarray as xr

from .._arguments import several_from_options
from ..data import Dataset
from ..execution import (
    Execution,
    Files,
    LookEngine,
    Measurement,
    Progress,
    Read,
    Wanted,
    check_call,
    in_one_pass,
    provenance,
    reading,
)
from ..execution import Seen as BatchSeen
from ..networks import Classifier
from ..networks._checks import check_classifier, check_data, check_images, check_parameters
from ..results import class_coordinates
from ._choices import Choices, Options
from ._class_means import ClassSums
from ._collector import Collector, variable
from ._l1_norm import known_l1_norm
from ._seen import joined, look

States = Mapping[str, list[Any]]


@overload
def collect(  # type: ignore[overload-overlap]
    network: Classifier,
    layers: str,
    data: Dataset,
    *,
    file: str | Path | None = ...,
    progress: Progress | bool | None = ...,
    **options: Unpack[Options],
) -> xr.Dataset: ...


@overload
def collect(
    network: Classifier,
    layers: Sequence[str] | None,
    data: Dataset,
    *,
    file: str | Path | None = ...,
    progress: Progress | bool | None = ...,
    **options: Unpack[Options],
) -> dict[str, xr.Dataset]: ...


def collect(
    network: Classifier,
    layers: str | Sequence[str] | None,
    data: Dataset,
    *,
    file: str | Path | None = None,
    progress: Progress | bool | None = None,
    **options: Unpack[Options],
) -> xr.Dataset | dict[str, xr.Dataset]:
    """Measure the unit attributes of Zhou et al. 2018, §2.2, and alternatives to them, in one pass.

    Images are shared out among all local devices and, in a cluster job, among its processes; every
    process gets the whole result. Sums are accumulated in float64, so that numbers do not depend on
    which process took which image, up to rounding. Memory does not grow with the images.

    Args:
      network: any network that shows its activations.
      layers: a layer, several of them, or None for all.
      data: the images.
      file: where the result is kept (netCDF), as in `ju.ablation.sweep`; for several layers a
        folder with a file for each.
      progress: called with the images done and the total, after every batch; False for silence,
        None for a bar in a terminal or notebook.
      **options: what is collected, see `Choices`, and execution options, see `ju.Execution`.

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
      selectivity lies in 0 to 1 only for non-negative activations; where a class mean
      is negative, the variable's `long_name` says so.

    Raises:
      InputError: a layer does not exist, the network does not show its activations, images or
        parameters cannot be used, an activation is not a number, or an option is out of range.
    """
    check_call(network, file, progress)
    names = network.chosen_layers(layers)
    choices, execution = several_from_options((Choices, Execution), options, collect)
    asked = _measurement(
        network, names, data, choices, execution, Files.of(file, names, not isinstance(layers, str))
    )
    read = reading(data, network.preprocessing, execution)
    title = f"attributes of {', '.join(names)}"
    (found,) = in_one_pass([asked], read, execution, progress, title)
    return found[names[0]] if isinstance(layers, str) else {name: found[name] for name in names}


@dataclass(frozen=True)
class Attributes(Choices, Wanted):
    """Attributes of the units of some layers, in a pass of `ju.measure`; see `collect`.

    Attributes:
      layers: a layer, several of them, or None for all.
    """

    kind = "attributes"

    layers: str | Sequence[str] | None = None

    def measurements(
        self,
        network: Classifier,
        data: Dataset,
        carried_out: Execution,
        files: Callable[[Sequence[str]], Files],
    ) -> list[Measurement]:
        """One measurement of all layers."""
        names = network.chosen_layers(self.layers)
        given = {each.name: getattr(self, each.name) for each in fields(Choices)}
        return [_measurement(network, names, data, Choices(**given), carried_out, files(names))]


def _measurement(
    network: Classifier,
    names: Sequence[str],
    data: Dataset,
    choices: Choices,
    execution: Execution,
    files: Files,
) -> Measurement:
    """The attributes of some layers, as a measurement."""
    collectors = choices.collectors()
    looking = look(network, names, activation=choices.activation, gradients=choices.gradients)

    def compiled(read: Read) -> LookEngine:
        return LookEngine(
            network, looking, read, execution, what=f"attributes of {', '.join(names)}"
        )

    def observe(seen: Iterator[BatchSeen]) -> States:
        return {
            name: [collector.observe(each) for collector in collectors]
            for name, each in joined(seen, data.name).items()
        }

    def merge(one: States, other: States) -> States:
        return {
            name: [
                collector.merge(*pair)
                for collector, *pair in zip(collectors, one[name], other[name], strict=True)
            ]
            for name in names
        }

    def finish(states: Callable[[], Iterator[States]]) -> dict[str, xr.Dataset]:
        (whole,) = states()
        return {
            name: _labeled(network, name, data, collectors, whole[name], choices.seed)
            for name in names
        }

    return Measurement(
        settings=_settings(network, names, data, choices, execution),
        compile=compiled,
        observe=observe,
        kind={name: [collector.kind for collector in collectors] for name in names},
        merge=merge,
        finish=finish,
        files=files,
    )


def collect_settings(
    network: Classifier,
    layers: str | Sequence[str] | None,
    data: Dataset,
    **options: Unpack[Options],
) -> dict[str, dict[str, str]]:
    """Everything that the attributes depend on, by layer; they are attributes of the results.

    See `collect` for the arguments.

    Args:
      network: as in `collect`.
      layers: as in `collect`.
      data: as in `collect`.
      **options: as in `collect`.

    Returns:
      For each layer its settings, each as text, by name.

    Raises:
      InputError: as `collect`, except for what only activations show.
    """
    check_classifier(network)
    choices, execution = several_from_options((Choices, Execution), options, collect_settings)
    return _settings(network, network.chosen_layers(layers), data, choices, execution)


def _settings(
    network: Classifier,
    names: Sequence[str],
    data: Dataset,
    choices: Choices,
    execution: Execution,
) -> dict[str, dict[str, str]]:
    check_data(network, data)
    check_parameters(network)
    check_images(data)
    chosen = {key: str(value) for key, value in asdict(choices).items()}
    return {
        name: {**provenance("collect", network, name, data, execution), **chosen} for name in names
    }


def _labeled(
    network: Classifier,
    layer: str,
    data: Dataset,
    collectors: Sequence[Collector[Any]],
    states: Sequence[Any],
    seed: int,
) -> xr.Dataset:
    """The attributes of a layer, the scalars first."""
    units = network.layers[layer].num_units
    variables: dict[str, xr.Variable] = {}
    norms = known_l1_norm(network, layer)
    if norms is not None:
        variables["l1_norm"] = variable(
            ("unit",), norms, "", "L1 norm of the incoming weights, Zhou et al. 2018, eq. 1"
        )
    for collector, state in zip(collectors, states, strict=True):
        variables |= collector.finish(state)
    draw = np.random.default_rng([seed, list(network.layers).index(layer)]).random(units)
    variables["random"] = variable(("unit",), draw, "", "a uniform random number")
    # Not the data set's labels, which may be read from its images.
    images = next(state.images for state in states if isinstance(state, ClassSums))
    names = [str(name) for name in data.class_names]
    empty = [name for name, count in zip(names, images, strict=True) if count == 0]
    return xr.Dataset(
        dict(sorted(variables.items(), key=lambda item: item[1].ndim)),
        coords={"unit": np.arange(units), **class_coordinates(names)},
        attrs={"empty_classes": ", ".join(empty)},
    )
