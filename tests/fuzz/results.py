"""Damaged files of ours: results, pieces, checkpoints, settings, metrics.

What is read of one is what was written, or it is refused or made anew.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr

import jaxunits as ju
from jaxunits import files
from jaxunits.networks import checkpoints
from jaxunits.train.metrics import EpochMetrics, read_metrics, restore_metrics, write_metrics
from tests.fuzz.cases import Target, WrongError
from tests.fuzz.mutations import damaged_copy, mutated
from tests.reference import small_convnet


class _StopError(Exception):
    """A sweep is interrupted."""


def targets(folder: Path) -> list[Target]:
    """One for each kind of file; what they damage is made in a folder."""
    makers = {
        "netCDF": _netcdf,
        "pieces": _pieces,
        "checkpoints": _checkpoints,
        "settings": _settings,
        "metrics": _metrics,
    }
    found = []
    for name, make in makers.items():
        place = folder / f"whole-{name}"
        place.mkdir()
        found.append(Target(name, make(place)))
    return found


Attempt = Callable[[np.random.Generator, Path], None]


def _data() -> ju.data.Dataset:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (24, 28, 28, 1), np.uint8)
    return ju.data.load((images, np.arange(24) % 10), class_names=[*"abcdefghij"])


def _netcdf(folder: Path) -> Attempt:
    """A sweep's and an attribute's result, and times beside the first."""
    network, data = small_convnet(), _data()
    ju.ablation.sweep(network, "conv1", data, file=folder / "sweep.nc")
    attributes = ju.attributes.collect(network, "conv1", data, gradients=False)
    ju.results.write(attributes, folder / "attributes.nc")
    whole = {path.name: ju.results.read_result(path) for path in folder.glob("*.nc")}

    def attempt(random: np.random.Generator, place: Path) -> None:
        damaged_copy(folder, place, random)
        # All are read, so that one that is damaged is refused after others were read whole.
        for name, expected in whole.items():
            _same_result(ju.results.read_result(place / name), expected)

    return attempt


def _same_result(found: xr.Dataset, expected: xr.Dataset) -> None:
    kinds = {name: str(variable.dtype) for name, variable in found.variables.items()}
    wanted = {name: str(variable.dtype) for name, variable in expected.variables.items()}
    if not found.identical(expected) or kinds != wanted:
        raise WrongError("a damaged result was read as another one")


def _pieces(folder: Path) -> Attempt:
    """A sweep that was interrupted after half of its pieces."""
    network, data = small_convnet(), _data()
    size = {"batch_size": 8, "images_per_piece": 8}

    def sweep(place: Path, done: Callable[[int, int], None] | None = None) -> xr.Dataset:
        return ju.ablation.sweep(network, "conv3", data, file=place / "a.nc", progress=done, **size)

    def stop(images: int, total: int) -> None:
        if images == total:
            raise _StopError

    try:
        sweep(folder, stop)
    except _StopError:
        pieces = sorted(path.name for path in (folder / "a.pieces").iterdir())
    finished = folder.parent / "whole-pieces-finished"
    finished.mkdir()
    sweep(finished)
    expected = (finished / "a.nc").read_bytes()
    assert len(pieces) == 3, pieces

    def attempt(random: np.random.Generator, place: Path) -> None:
        damaged_copy(folder, place, random)
        sweep(place)
        if (place / "a.nc").read_bytes() != expected:
            raise WrongError("a sweep that went on from damaged pieces has other numbers")

    return attempt


def _checkpoints(folder: Path) -> Attempt:
    """A run folder with a checkpoint and the architecture of its network."""
    network = small_convnet(widths=(2, 3), pool_after=("conv1",))
    ju.networks.save_architecture(network, folder)
    files.write_json(folder / "configuration.json", {"epochs": 1})
    with checkpoints.open_checkpoints(folder / "checkpoints") as checkpointer:
        metrics = [dataclasses.asdict(_EPOCHS[0])]
        checkpoints.save_state(checkpointer, 1, {"network": ju.networks.arrays(network)}, metrics)
    expected = ju.results.fingerprint(ju.networks.arrays(network))

    def attempt(random: np.random.Generator, place: Path) -> None:
        damaged_copy(folder, place, random)
        found = ju.networks.restore(place)
        if ju.results.fingerprint(ju.networks.arrays(found)) != expected:
            raise WrongError("a damaged checkpoint was restored as another network")
        if ju.networks.saved_metrics(place) != metrics:
            raise WrongError("a damaged checkpoint has other metrics")

    return attempt


def _settings(folder: Path) -> Attempt:
    """Settings in JSON."""
    path = folder / "configuration.json"
    settings = {"seed": 3, "rates": [0.1, 1e-3], "data": {"name": "digits é", "sizes": None}}
    files.write_json(path, settings)

    def attempt(random: np.random.Generator, place: Path) -> None:
        damaged_copy(folder, place, random)
        if ju.results.RunFolder(place).read_configuration() != settings:
            raise WrongError("damaged settings were read as others")

    return attempt


_EPOCHS = [
    EpochMetrics(epoch, 10 * epoch, 0.1, 1.5, 0.0, 0.5, 1.25, 0.625, 2.0) for epoch in (1, 2)
]


def _metrics(folder: Path) -> Attempt:
    """Metrics in lines of JSON, which the last checkpoint holds too."""
    whole = folder / "metrics.jsonl"
    write_metrics(whole, _EPOCHS)
    content = whole.read_bytes()

    def attempt(random: np.random.Generator, place: Path) -> None:
        path = place / "metrics.jsonl"
        path.write_bytes(mutated(content, content, random))
        try:
            read_metrics(path)
        finally:
            restore_metrics(path, _EPOCHS, lambda text: None)
            if path.read_bytes() != content:
                raise WrongError("damaged metrics were not written anew")

    return attempt
