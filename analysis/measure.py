"""The heavy half: from a network and images to files in the run folder."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jax
import xarray as xr
from rich.console import Console

import jaxunits as ju

from .config import Config, Experiment
from .measurements.ablation import ablation
from .measurements.attributes import attributes
from .measurements.births import births
from .measurements.concepts import concepts
from .measurements.cumulative import cumulative
from .measurements.greedy import greedy
from .measurements.insertion import insertion
from .measurements.kind import Kind
from .measurements.maps import maps
from .measurements.panels import panels
from .measurements.rotations import rotations
from .measurements.samples import samples
from .measurements.subject import Subject, file_name, file_of, load_subject
from .measurements.synthesis import synthesis
from .measurements.training_births import training_births

# In the order in which they are made; later ones may read earlier ones.
KINDS = {
    kind.name: kind
    for kind in (
        *(ablation, attributes, panels, concepts, rotations, greedy),
        *(births, maps, training_births, cumulative, samples, insertion, synthesis),
    )
}
NEEDS: Mapping[Experiment, tuple[str, ...]] = {
    "drop_curves": ("ablation",),
    "unit_panels": ("ablation", "panels"),
    "correlations": ("ablation", "attributes"),
    "prediction": ("ablation", "attributes"),
    "rotations": ("ablation", "rotations"),
    "greedy": ("ablation", "greedy"),
    "concepts": ("ablation", "concepts"),
    "topology": ("ablation", "births", "maps", "training"),
    "phase_transition": ("ablation", "births", "cumulative"),
    "stability": ("ablation", "births", "samples"),
    "roles": ("ablation", "births", "insertion"),
    "substitution": ("ablation", "attributes", "synthesis"),
    "synthesised_images": ("ablation", "attributes", "synthesis"),
}


@dataclass(frozen=True)
class Measurements:
    """What the experiments read: by kind, then by layer in the network's order.

    Attributes:
      found: the measurements.
    """

    found: Mapping[str, Mapping[str, xr.Dataset]]

    @property
    def sweeps(self) -> Mapping[str, xr.Dataset]:
        """Results of `ju.ablation.sweep`, every unit alone."""
        return self.found["ablation"]


def read_measurements(config: Config, experiments: Sequence[Experiment]) -> Measurements:
    """What the run folder holds, as it is; neither network nor images are needed.

    Raises:
      InputError: a file is damaged, or a measurement is missing.
    """
    folder = ju.results.RunFolder(config.run)
    folder.read_configuration()
    found = {}
    for name, experiment in _wanted(experiments).items():
        files = folder.measurements.glob(file_name(config, name, "*"))
        results = sorted(map(ju.ablation.read_result, files), key=_layer_number)
        found[name] = {str(result.attrs["layer"]): result for result in results}
        if not found[name]:
            raise ju.InputError(
                f"{folder.measurements} holds no measurements of the kind {name!r}, which "
                f"{experiment} needs: name the experiments that were measured, or leave out "
                "--no-measure"
            )
    for layer in config.layers:
        if layer not in found["ablation"]:
            raise ju.unknown_name("layer", layer, found["ablation"], str(folder.measurements))
    return Measurements(
        {
            name: {
                layer: result
                for layer, result in of_layers.items()
                if not config.layers or layer in config.layers
            }
            for name, of_layers in found.items()
        }
    )


def measure(config: Config, experiments: Sequence[Experiment], console: Console) -> Measurements:
    """Measure what the run folder lacks; what it holds already is not measured again.

    Raises:
      InputError: the run folder, network or images cannot be used, or the folder holds a
        measurement with other settings.
    """
    subject = load_subject(config, console)
    kinds = [KINDS[name] for name in _wanted(experiments)]
    first = jax.process_index() == 0
    # Only one process of a job holds the folder, and only that one draws.
    with subject.folder.in_use() if first else contextlib.nullcontext():
        settings = {
            kind.name: {layer: kind.settings(subject, layer) for layer in kind.layers(subject)}
            for kind in kinds
        }
        # All of them are compared with the folder's before the first is measured.
        found = {name: _reusable(config, name, wanted) for name, wanted in settings.items()}
        for kind in kinds:
            if kind.in_every_process or first:
                _complete(subject, kind, settings[kind.name], found)
    return Measurements(
        {
            name: {layer: found[name][layer] for layer in wanted if layer in found[name]}
            for name, wanted in settings.items()
        }
    )


def print_plans(config: Config, console: Console) -> None:
    """What the sweeps that the run folder lacks will cost.

    Raises:
      InputError: the run folder, network or images cannot be used.
    """
    subject = load_subject(config, console)
    for layer in subject.layers:
        done = file_of(config, "ablation", layer).exists() and not config.overwrite
        plan = ju.ablation.plan(subject.network, layer, len(subject.data), **subject.options())
        console.print(f"{plan}\n{'measured already' if done else ''}")


def _wanted(experiments: Sequence[Experiment]) -> dict[str, Experiment]:
    """The kinds of measurement that experiments need, in order, each with one that needs it."""
    needed = {name: each for each in reversed(experiments) for name in NEEDS[each]}
    return {name: needed[name] for name in KINDS if name in needed}


def _layer_number(result: xr.Dataset) -> int:
    try:
        if "layer" not in result.attrs:
            raise KeyError("layer")
        return int(result.attrs["layer_number"])
    except (KeyError, ValueError) as error:
        raise ju.InputError(
            f"measurement {result.encoding.get('source')} does not say which layer it is of "
            f"({error}): delete it and measure again"
        ) from error


def _complete(
    subject: Subject,
    kind: Kind,
    settings: Mapping[str, Mapping[str, str]],
    found: dict[str, dict[str, xr.Dataset]],
) -> None:
    """Measure the layers that are missing, each kept before the next is begun."""
    missing = [layer for layer in settings if layer not in found[kind.name]]
    if not missing:
        return
    for layer, result in kind.measure(subject, missing, found):
        found[kind.name][layer] = result.assign_attrs(settings[layer])
        path = file_of(subject.config, kind.name, layer)
        if jax.process_index() == 0 and not path.exists():
            ju.results.write(found[kind.name][layer], path)


def _reusable(
    config: Config, kind: str, settings: Mapping[str, Mapping[str, str]]
) -> dict[str, xr.Dataset]:
    """The measurements that are there, by layer, if they were made with these settings.

    Raises:
      InputError: one was made with others or is damaged, and nobody said to overwrite it.
    """
    found = {}
    for layer, wanted in settings.items():
        path = file_of(config, kind, layer)
        if not path.exists():
            continue
        try:
            result = ju.ablation.read_result(path)
            ju.results.raise_if_different(
                {key: result.attrs.get(key) for key in wanted},
                wanted,
                place=f"measurement {path}",
                way_out="Give the same settings, or measure again with --overwrite",
            )
        except ju.InputError:
            if not config.overwrite:
                raise
            path.unlink(missing_ok=True)
        else:
            found[layer] = result
    return found
