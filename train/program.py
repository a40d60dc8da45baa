"""The epochs of runs that are one batched computation."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import xarray as xr

import jaxunits as ju

from .config import Config
from .devices import Devices
from .metrics import EpochMetrics
from .optimizers import build_optimizer, learning_rate
from .progress import Progress
from .step import State, Step, Sums, build_step, network_arrays, no_sums
from .together import batched, one_of, stack

# Steps that are started before the one that runs is done, so that the device never waits.
_AHEAD = 2


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
    shared = (False, False, False, False, True)
    compiled = devices.compile(batched(_adding(step), len(grouped[0]), shared))
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
    started, runs = time.perf_counter(), len(program.seeds)
    sums = program.devices.replicate(stack([no_sums()] * runs))
    under_way: deque[Sums] = deque()
    for number, batch in enumerate(_training_batches(program, epoch)):
        count = np.int32(epoch * program.steps_per_epoch + number)
        state, sums = program.step(state, sums, batch, program.keys, count)
        under_way.append(sums)
        if len(under_way) > _AHEAD:
            jax.block_until_ready(under_way.popleft())
            progress.step()
    seen = _of_runs(sums, runs)
    for _ in under_way:
        progress.step()
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
        batch_size=program.config.batch_size // jax.device_count(),
        decoding_threads=program.config.data.threads,
        progress=False,
    )


def _adding(step: Step) -> Callable[..., Any]:
    """A step that adds its sums to those of the steps before.

    One program a step: on CPUs a small one, such as a sum, would wait for the step, and the host
    would prepare no batch meanwhile.
    """

    def added(
        state: State, before: Sums, batch: ju.data.Batch, key: Any, number: Any
    ) -> tuple[State, Sums]:
        state, sums = step(state, batch, key, number)
        return state, jax.tree.map(jnp.add, before, sums)

    return added


def _of_runs(sums: Sums, runs: int) -> list[Sums]:
    """The sums of each run."""
    host = jax.tree.map(np.asarray, sums)
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
