"""The epochs of runs that are one batched computation."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
import xarray as xr
from jaxtyping import PyTree

import jaxunits as ju

from .config import Config
from .devices import Devices
from .metrics import EpochMetrics
from .optimizers import build_optimizer, learning_rate
from .progress import Progress
from .step import State, Sums, build_step, network_arrays
from .together import batched, one_of, stack


class Program(NamedTuple):
    """What stays the same over the epochs of runs that are one batched computation."""

    config: Config
    seeds: tuple[int, ...]
    network: ju.networks.Classifier
    train_data: ju.data.Dataset
    validation_data: ju.data.Dataset
    devices: Devices
    step: Any
    keys: Any
    rate: optax.Schedule
    steps_per_epoch: int


def prepare(
    config: Config,
    seeds: Sequence[int],
    network: ju.networks.Classifier,
    devices: Devices,
    train_data: ju.data.Dataset,
    validation_data: ju.data.Dataset,
    grouped: Sequence[Sequence[int]],
) -> list[Program]:
    """One program for each batched computation; those of one shape are compiled once."""
    steps = math.ceil(len(train_data) / config.batch_size)
    step = build_step(
        network, build_optimizer(config, steps), config.precision, config.regularizers
    )
    compiled = devices.compile(batched(step, len(grouped[0]), (False, False, False, True)))
    return [
        Program(
            config=config,
            seeds=tuple(seeds[run] for run in lane),
            network=network,
            train_data=train_data,
            validation_data=validation_data,
            devices=devices,
            step=compiled,
            keys=devices.replicate(
                stack([jax.random.key_data(jax.random.key(seeds[run])) for run in lane])
            ),
            rate=learning_rate(config, steps),
            steps_per_epoch=steps,
        )
        for lane in grouped
    ]


def run_epoch(
    program: Program, state: State, epoch: int, progress: Progress
) -> tuple[State, list[EpochMetrics]]:
    """Train one epoch and evaluate.

    Returns:
      The new state, and the metrics of each run.

    Raises:
      InputError: a loss or a parameter is NaN.
    """
    started, total, runs = time.perf_counter(), _Total(), len(program.seeds)
    for number, batch in enumerate(_training_batches(program, epoch)):
        count = np.int32(epoch * program.steps_per_epoch + number)
        state, sums = program.step(state, batch, program.keys, count)
        total.add(sums)
        progress.step()
    seen = total.of_runs(runs)
    for each in seen:
        _check_loss(program, epoch, each.loss, each.penalty)
    held_out = [_evaluated(program, one_of(state, run, runs)) for run in range(runs)]
    seconds = round(time.perf_counter() - started, 3)
    results = [
        _metrics(program, epoch, *sums, seconds) for sums in zip(seen, held_out, strict=True)
    ]
    return state, results


def _training_batches(program: Program, epoch: int) -> Iterator[ju.data.Batch]:
    """Batches of all runs, each in its own order."""
    config, devices = program.config, program.devices
    augmented = config.augmentation.crop != "none" or config.augmentation.flip
    orders = [
        ju.data.shuffled_batches(
            program.train_data,
            config.preprocessing,
            config.batch_size,
            seed=seed,
            epoch=epoch,
            augmentation=config.augmentation if augmented else None,
            threads=config.data.threads,
            process=devices.process,
            processes=devices.processes,
        )
        for seed in program.seeds
    ]
    for batches in zip(*orders, strict=True):
        yield devices.share_out(stack(batches), len(batches))


def _evaluated(program: Program, state: State) -> xr.Dataset:
    """Accuracy and loss of a run's network on the held-out images."""
    # What all processes hold is an array of this one too.
    arrays = {name: np.asarray(array) for name, array in network_arrays(state).items()}
    return ju.evaluate(
        ju.networks.with_arrays(program.network, arrays),
        program.validation_data,
        precision=program.config.precision,
        decoding_threads=program.config.data.threads,
        progress=False,
    )


class _Total:
    """Sums of batches, fetched from the devices only once they are asked for."""

    def __init__(self) -> None:
        self._sums: PyTree = None

    def add(self, sums: Sums) -> None:
        """Add a batch."""
        held = self._sums
        self._sums = sums if held is None else jax.tree.map(jax.numpy.add, held, sums)

    def of_runs(self, runs: int) -> list[Sums]:
        """The sums of each run."""
        host = jax.tree.map(np.asarray, self._sums)
        return [one_of(host, run, runs) for run in range(runs)]


def _metrics(
    program: Program, epoch: int, seen: Sums, held_out: xr.Dataset, seconds: float
) -> EpochMetrics:
    steps = (epoch + 1) * program.steps_per_epoch
    return EpochMetrics(
        epoch=epoch + 1,
        step=steps,
        learning_rate=float(program.rate(steps - 1)),
        train_loss=float(seen.loss) / int(seen.images),
        train_penalty=float(seen.penalty) / int(seen.images),
        train_accuracy=int(seen.correct) / int(seen.images),
        validation_loss=float(held_out.loss),
        validation_accuracy=float(held_out.overall_accuracy),
        seconds=seconds,
    )


def _check_loss(program: Program, epoch: int, *losses: Any) -> None:
    """Refuse to continue once training has failed.

    Raises:
      InputError: a loss is not a number.
    """
    if not np.isfinite(losses).all():
        raise ju.InputError(
            f"the loss became NaN or infinite in epoch {epoch + 1}: train with a lower learning "
            f"rate than {program.config.optimizer.learning_rate} in another run folder; the last "
            "checkpoint is kept"
        )
