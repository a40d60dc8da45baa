"""The heavy half: from a network and images to files in the run folder."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jax
import xarray as xr
from jax.experimental import multihost_utils
from rich.console import Console

import jaxunits as ju

from .config import Config, Experiment
from .measurements.ablation import ablation
from .measurements.attributes import attributes
from .measurements.births import births
from .measurements.concepts import concepts
from .measurements.cumulative import cumulative
from .measurements.files import Files, with_settings
from .measurements.greedy import greedy
from .measurements.insertion import insertion
from .measurements.kind import Kind
from .measurements.maps import maps
from .measurements.panels import panels
from .measurements.rotations import rotations
from .measurements.samples import samples
from .measurements.subject import Subject, load_subject, with_split
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
    """What the run folder holds of what is asked for; neither network nor images are needed.

    Raises:
      InputError: a file is damaged, or a measurement is missing or ambiguous.
    """
    config = with_split(config)
    files = Files(ju.results.RunFolder(config.run).measurements)
    files.write_index()
    found = {
        name: files.find(KINDS[name].asked(config), for_whom=experiment)
        for name, experiment in _wanted(experiments).items()
    }
    _refuse_several_networks(found, files.folder)
    for layer in config.layers:
        if layer not in found["ablation"]:
            raise ju.unknown_name("layer", layer, found["ablation"], str(files.folder))
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


def _refuse_several_networks(found: Mapping[str, Mapping[str, xr.Dataset]], folder: Path) -> None:
    """Refuse measurements that belong to different parameters.

    Raises:
      InputError: they do.
    """
    of: dict[str, list[str]] = {}
    for name, results in found.items():
        for layer, result in results.items():
            network = f"epoch {result.attrs['epoch']}, parameters {result.attrs['parameters'][:12]}"
            of.setdefault(network, []).append(f"{name} of {layer}")
    if len(of) > 1:
        listed = "; ".join(f"{network}: {', '.join(names)}" for network, names in of.items())
        raise ju.InputError(
            f"the measurements in {folder} are of {len(of)} networks ({listed}): name one with "
            "--epoch, or leave out --no-measure to measure what it lacks"
        )


def measure(config: Config, experiments: Sequence[Experiment], console: Console) -> Measurements:
    """Measure what the run folder lacks; what it holds already is not measured again.

    Raises:
      InputError: the run folder, network or images cannot be used, or a file of the folder is
        damaged or holds a measurement with other settings than its name says.
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
        if first:
            subject.files.write_index()
        # All of them are compared with the folder's before the first is measured.
        found = {name: _reusable(subject, wanted) for name, wanted in settings.items()}
        for kind in kinds:
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
        file = subject.files.path(ablation.settings(subject, layer))
        done = file.exists() and not config.overwrite
        plan = ju.plan(ju.ablation.sweep, subject.network, layer, subject.data, **subject.options())
        console.print(f"{plan}\n{'measured already' if done else ''}")


def _wanted(experiments: Sequence[Experiment]) -> dict[str, Experiment]:
    """The kinds of measurement that experiments need, in order, each with one that needs it."""
    needed = {name: each for each in reversed(experiments) for name in NEEDS[each]}
    return {name: needed[name] for name in KINDS if name in needed}


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
    first = jax.process_index() == 0
    if subject.config.overwrite and first:
        for layer in missing:
            subject.files.remove(settings[layer])
    _wait(kind, "removed")
    for layer, result in kind.measure(subject, missing, found):
        # Whoever still reads what was done so far finds it, and no finished file.
        _wait(kind, f"measured {layer}")
        found[kind.name][layer] = with_settings(result, settings[layer])
        if first:
            subject.files.write(settings[layer], found[kind.name][layer])


def _wait(kind: Kind, name: str) -> None:
    """Wait until every process has come here."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(f"{kind.name} {name}")


def _reusable(subject: Subject, settings: Mapping[str, Mapping[str, str]]) -> dict[str, xr.Dataset]:
    """The measurements that are there, by layer; none where all are to be made again.

    Raises:
      InputError: one is damaged, or was made with other settings than its name says.
    """
    found = {}
    for layer, wanted in settings.items():
        result = None if subject.config.overwrite else subject.files.read(wanted)
        if result is not None:
            found[layer] = result
            # A kill between writing it and removing what was done so far leaves that behind.
            if jax.process_index() == 0:
                subject.files.remove_unfinished(wanted)
    return found
