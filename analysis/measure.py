"""The heavy half: from a network and images to files in the run folder."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import xarray as xr

import jaxunits as ju

from .experiment import Experiment, measurements_of
from .files import with_settings
from .measurement import Measurement, Results
from .subject import Subject

_NEEDS = {
    "images": "the images that the network was trained on: name them (train_data, --train-split)",
    "checkpoints": "the checkpoints of the network's training, which the folders of jaxunits train "
    "have: leave the experiment out",
}


def measure(subject: Subject, experiments: Sequence[Experiment]) -> Results:
    """Measure what the run folder lacks; what it holds already is not measured again.

    Returns:
      By name of the measurement and layer what the experiments read.

    Raises:
      InputError: the run folder, network or images cannot be used, or a file of the folder is
        damaged or holds a measurement with other settings than its name says.
    """
    settings = {each: settings_by_layer(subject, each) for each in needed(subject, experiments)}
    lacking = _lacking(subject, settings)
    with contextlib.ExitStack() as held:
        # Of a folder that is drawn elsewhere nothing is written that it has: it may be read-only.
        if lacking or subject.config.output is None:
            _hold(subject, lacking, held)
        # All of them are compared with the folder's before the first is measured.
        found: dict[str, dict[str, xr.Dataset]] = {each.name: {} for each in settings}
        if not subject.config.overwrite:
            for each, of in settings.items():
                read = ((layer, subject.files.read(wanted)) for layer, wanted in of.items())
                found[each.name] = {layer: one for layer, one in read if one is not None}
        for each, of in settings.items():
            _complete(subject, each, of, found)
    return {
        each.name: {layer: found[each.name][layer] for layer in of if layer in found[each.name]}
        for each, of in settings.items()
    }


def _lacking(subject: Subject, settings: Mapping[Measurement, Mapping[str, Any]]) -> list[str]:
    """What is to be measured, for people."""
    found = []
    for measurement, by_layer in settings.items():
        layers = [layer for layer, of in by_layer.items() if not subject.files.path(of).exists()]
        if layers or subject.config.overwrite:
            found.append(f"{measurement.name} of {', '.join(layers or by_layer)}")
    return found


def _hold(subject: Subject, lacking: Sequence[str], held: contextlib.ExitStack) -> None:
    """Hold the folder for this process, and make it that of the network.

    Raises:
      InputError: another process holds it, it is of another network or cannot be written to.
    """
    # Only one process of a job holds the folder, and only that one draws.
    if not _is_first():
        return
    try:
        held.enter_context(subject.folder.in_use())
    except OSError as error:
        way_out = "give --output, a folder for figures and report"
        if lacking:
            way_out = (
                f"it lacks {'; '.join(lacking)}. Copy it, or name experiments and layers that were "
                "measured and draw them elsewhere (--output)"
            )
        raise ju.InputError(
            f"run folder {subject.folder.path} cannot be written to ({error.strerror}): {way_out}"
        ) from error
    subject.claim()
    subject.files.write_index()


def needed(subject: Subject, experiments: Sequence[Experiment]) -> list[Measurement]:
    """What experiments read, in the order in which it is measured.

    Raises:
      InputError: one of them needs of the network's training what nobody gave.
    """
    there = {"none": True, "images": subject.load_training, "checkpoints": subject.trained}
    for measurement, experiment in measurements_of(experiments):
        if not there[measurement.training]:
            raise ju.InputError(
                f"the experiment {experiment.name} needs {_NEEDS[measurement.training]}"
            )
    return [measurement for measurement, _ in measurements_of(experiments)]


def settings_by_layer(subject: Subject, measurement: Measurement) -> dict[str, dict[str, str]]:
    """Everything that the numbers of each layer depend on.

    Raises:
      InputError: there is no such layer, or the settings cannot be had.
    """
    layers = [subject.network.layer(name).name for name in measurement.layers(subject)]
    return {layer: measurement.settings(subject, layer) for layer in layers}


def _complete(
    subject: Subject,
    measurement: Measurement,
    settings: Mapping[str, Mapping[str, str]],
    found: dict[str, dict[str, xr.Dataset]],
) -> None:
    """Measure the layers that are missing, each kept before the next is begun."""
    first = _is_first()
    if first and subject.config.output is None:
        # A kill between writing a measurement and removing what was done so far leaves that behind.
        for layer in found[measurement.name]:
            subject.files.remove_unfinished(settings[layer])
    missing = [layer for layer in settings if layer not in found[measurement.name]]
    if not missing:
        return
    if subject.config.overwrite and first:
        for layer in missing:
            subject.files.remove(settings[layer])
    _wait(measurement, "removed")
    for layer, result in measurement.measure(subject, missing, found):
        # Whoever still reads what was done so far finds it, and no finished file.
        _wait(measurement, f"measured {layer}")
        found[measurement.name][layer] = with_settings(result, settings[layer])
        if first:
            subject.files.write(settings[layer], found[measurement.name][layer])


def _is_first() -> bool:
    import jax

    return jax.process_index() == 0


def _wait(measurement: Measurement, name: str) -> None:
    """Wait until every process has come here."""
    import jax
    from jax.experimental import multihost_utils

    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(f"{measurement.name} {name}")
