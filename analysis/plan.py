"""What the measurements that a folder lacks will cost."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import xarray as xr
from rich.table import Table as Screen

import jaxunits as ju

from .experiment import Experiment
from .measure import needed, settings_by_layer
from .measurement import Measurement
from .subject import Subject

_IMAGES = 32
_COLUMNS = ("measurement", "layer", "plain passes", "seconds", "memory, MiB")


def print_plans(subject: Subject, wanted: Sequence[Experiment]) -> None:
    """Say what every measurement that experiments lack will take; nothing is written.

    Each is compiled as it will run and timed on a first batch, see `ju.plan`. A plain pass runs the
    network once over all images.

    Raises:
      InputError: the run folder, network or images cannot be used.
    """
    screen = Screen(title=f"missing in {subject.folder.path}")
    for column in _COLUMNS:
        screen.add_column(column, justify="left" if column in _COLUMNS[:2] else "right")
    plain = _plain_seconds(subject)
    found: dict[str, dict[str, xr.Dataset]] = {}
    total = 0.0
    for each in needed(subject, wanted):
        layers = settings_by_layer(subject, each)
        if each.stand_in is not None:
            found[each.name] = {layer: each.stand_in(subject, layer) for layer in layers}
        missing = [
            layer
            for layer, settings in layers.items()
            if subject.config.overwrite or not subject.files.path(settings).exists()
        ]
        if not missing:
            screen.add_row(each.name, "measured already", "0", "0", "")
        for together in [missing] if each.one_pass and missing else [[name] for name in missing]:
            plan = _plan(subject, each, together, found)
            for line in str(plan).splitlines():
                subject.console.print(line)
            seconds = plan.seconds * each.calls(subject)
            total += seconds
            cells = (f"{seconds / plain:.1f}", f"{seconds:.1f}", f"{plan.peak_bytes / 2**20:,.0f}")
            screen.add_row(each.name, ", ".join(together), *cells)
    screen.add_row("all", "", f"{total / plain:.1f}", f"{total:.1f}", "")
    subject.console.print(screen)


def _plan(
    subject: Subject,
    measurement: Measurement,
    layers: Sequence[str],
    found: dict[str, dict[str, xr.Dataset]],
) -> ju.Plan:
    if measurement.planned is not None:
        return ju.plan(measurement.planned, subject, layers[0])
    return ju.plan(lambda: dict(measurement.measure(subject, layers, found)))


def _plain_seconds(subject: Subject) -> float:
    """What running the network once over all images takes, from one batch."""
    import jax

    count = min(_IMAGES, len(subject.data))
    images = np.zeros((count, *subject.network.example.shape[1:]), np.float32)
    run = jax.jit(subject.network)
    jax.block_until_ready(run(images))
    started = time.perf_counter()
    jax.block_until_ready(run(images))
    return (time.perf_counter() - started) * len(subject.data) / count
