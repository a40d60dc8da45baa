"""Train networks, or go on where an earlier run was stopped."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from jaxtyping import PyTree

import jaxunits as ju

from .checkpoints import CheckpointFolder
from .config import Config
from .devices import Devices
from .metrics import EpochMetrics, read_metrics, write_metrics
from .optimizers import build_optimizer, learning_rate
from .progress import Progress
from .step import State, Sums, build_evaluate, build_step, initial_state
from .together import SideBySide, batched, in_threads, lanes, one_of, stack


class _Program(NamedTuple):
    """What stays the same over the epochs of runs that are one batched computation."""

    config: Config
    seeds: tuple[int, ...]
    train_data: ju.data.Dataset
    validation_data: ju.data.Dataset
    preprocessing: ju.data.Preprocessing
    devices: Devices
    step: Any
    evaluate: Any
    keys: Any
    rate: optax.Schedule
    steps_per_epoch: int


def train(config: Config, path: Path, progress: Progress) -> list[EpochMetrics]:
    """Train one network; see `train_together`."""
    return train_together([config], [path], progress)[0]


def train_together(
    configs: Sequence[Config],
    paths: Sequence[Path],
    progress: Progress,
    how: SideBySide = "auto",
) -> list[list[EpochMetrics]]:
    """Train until all epochs are done; epochs that the run folders hold already are not repeated.

    The order of the images depends on seed and epoch alone, and a checkpoint holds parameters,
    running averages and optimizer, so that a run that was stopped at any moment ends with the same
    parameters as one that was not.

    Args:
      configs: what to train; they differ in their seeds alone.
      paths: the run folder of each.
      progress: where to tell of it.
      how: how several are trained side by side, see `lanes`.

    Returns:
      All epochs' metrics, by run.

    Raises:
      InputError: a run folder is in use, or belongs to another configuration or other images; the
        data cannot be used; or a loss is NaN.
      OSError: no space is left.
    """
    config = configs[0]
    devices = Devices(config.batch_size)
    train_data, validation_data = config.data.load_train(), config.data.load_validation()
    if train_data.class_names != validation_data.class_names:
        raise ju.InputError(
            f"splits {train_data.split!r} and {validation_data.split!r} of {train_data.name!r} "
            "have different classes: give two splits of the same classes"
        )
    for data in (train_data, validation_data):
        ju.data.check_channels(data, config.preprocessing)
    classes = len(train_data.class_names)
    networks = [each.network.build(classes, each.preprocessing, each.seed) for each in configs]
    config.regularizers.check(networks[0])
    images = {"train": train_data.fingerprint, "validation": validation_data.fingerprint}
    with contextlib.ExitStack() as held:
        for each, path, network in zip(configs, paths, networks, strict=True):
            folder = ju.results.RunFolder(path)
            if devices.first:
                held.enter_context(folder.in_use())
            devices.agree(
                f"run folder {path}",
                lambda: _claim(folder, each, images, network),  # noqa: B023
            )
        folders = [
            held.enter_context(
                CheckpointFolder(ju.results.RunFolder(path).checkpoints, config.checkpoints)
            )
            for path in paths
        ]
        seeds = [each.seed for each in configs]
        programs = _prepare(
            config, seeds, networks[0], devices, train_data, validation_data, lanes(len(seeds), how)
        )
        return _epochs(programs, networks, paths, folders, progress)


def _claim(
    folder: ju.results.RunFolder,
    config: Config,
    images: dict[str, str],
    network: ju.networks.Network,
) -> None:
    folder.claim(config.description() | {"data_fingerprint": images}, may_differ=("checkpoints",))
    ju.networks.save_architecture(network, folder.path)


def _prepare(
    config: Config,
    seeds: Sequence[int],
    network: ju.networks.Network,
    devices: Devices,
    train_data: ju.data.Dataset,
    validation_data: ju.data.Dataset,
    grouped: Sequence[Sequence[int]],
) -> list[_Program]:
    """One program for each batched computation; those of one shape are compiled once."""
    steps = math.ceil(len(train_data) / config.batch_size)
    step = build_step(
        network, build_optimizer(config, steps), config.precision, config.regularizers
    )
    evaluate = build_evaluate(network, config.precision)
    runs = len(grouped[0])
    compiled = (
        devices.compile(batched(step, runs, (False, False, False, True))),
        devices.compile(batched(evaluate, runs, (False, True))),
    )
    return [
        _Program(
            config=config,
            seeds=tuple(seeds[run] for run in lane),
            train_data=train_data,
            validation_data=validation_data,
            preprocessing=network.preprocessing,
            devices=devices,
            step=compiled[0],
            evaluate=compiled[1],
            keys=devices.replicate(
                stack([jax.random.key_data(jax.random.key(seeds[run])) for run in lane])
            ),
            rate=learning_rate(config, steps),
            steps_per_epoch=steps,
        )
        for lane in grouped
    ]


def _epochs(
    programs: Sequence[_Program],
    networks: Sequence[ju.networks.Network],
    paths: Sequence[Path],
    folders: Sequence[CheckpointFolder],
    progress: Progress,
) -> list[list[EpochMetrics]]:
    config, devices = programs[0].config, programs[0].devices
    # Runs that were stopped between two of their saves go on from where the last of them was.
    done = min(folder.epochs for folder in folders)
    states = _states(programs, networks, folders, done)
    places = [ju.results.RunFolder(path).metrics for path in paths]
    metrics = [[row for row in read_metrics(place) if row.epoch <= done] for place in places]
    progress.start(config.epochs, done, programs[0].steps_per_epoch * len(programs))
    for epoch in range(done, config.epochs):
        lanes_done = in_threads(
            lambda lane: _epoch(programs[lane], states[lane], epoch, progress),  # noqa: B023
            range(len(programs)),
        )
        states = [state for state, _ in lanes_done]
        results = [result for _, of_lane in lanes_done for result in of_lane]
        for place, rows, result in zip(places, metrics, results, strict=True):
            rows.append(result)
            if devices.first:
                write_metrics(place, rows)
        if (epoch + 1) % config.checkpoints.every == 0 or epoch + 1 == config.epochs:
            for folder, state in zip(folders, _apart(programs, states), strict=True):
                folder.save(epoch + 1, state)
        progress.epoch(results)
    return metrics


def _states(
    programs: Sequence[_Program],
    networks: Sequence[ju.networks.Network],
    folders: Sequence[CheckpointFolder],
    done: int,
) -> list[State]:
    """The state of each program after so many epochs."""
    devices = programs[0].devices
    optimizer = build_optimizer(programs[0].config, programs[0].steps_per_epoch)
    states = iter([initial_state(network, optimizer) for network in networks])
    if done:
        states = iter(
            [
                folder.load(done, state, devices.everywhere)
                for folder, state in zip(folders, states, strict=True)
            ]
        )
    return [devices.replicate(stack([next(states) for _ in program.seeds])) for program in programs]


def _apart(programs: Sequence[_Program], states: Sequence[State]) -> Iterator[State]:
    """The state of each run."""
    for program, state in zip(programs, states, strict=True):
        for run in range(len(program.seeds)):
            yield one_of(state, run, len(program.seeds))


def _epoch(
    program: _Program, state: State, epoch: int, progress: Progress
) -> tuple[State, list[EpochMetrics]]:
    started = time.perf_counter()
    totals = [_Total(), _Total()]
    for number, batch in enumerate(_training_batches(program, epoch)):
        count = np.int32(epoch * program.steps_per_epoch + number)
        state, sums = program.step(state, batch, program.keys, count)
        totals[0].add(sums)
        progress.step()
    for batch in _validation_batches(program):
        totals[1].add(program.evaluate(state, batch))
    seen, held_out = (total.of_runs(len(program.seeds)) for total in totals)
    seconds = round(time.perf_counter() - started, 3)
    results = [
        _metrics(program, epoch, *sums, seconds) for sums in zip(seen, held_out, strict=True)
    ]
    return state, results


def _training_batches(program: _Program, epoch: int) -> Iterator[ju.data.Batch]:
    """Batches of all runs, each in its own order."""
    config, devices = program.config, program.devices
    augmented = config.augmentation.crop != "none" or config.augmentation.flip
    orders = [
        ju.data.shuffled_batches(
            program.train_data,
            program.preprocessing,
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


def _validation_batches(program: _Program) -> Iterator[ju.data.Batch]:
    devices = program.devices
    for batch in ju.data.batches(
        program.validation_data,
        program.preprocessing,
        program.config.batch_size,
        threads=program.config.data.threads,
        process=devices.process,
        processes=devices.processes,
    ):
        yield devices.share_out(batch, 1)


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
    program: _Program, epoch: int, seen: Sums, held_out: Sums, seconds: float
) -> EpochMetrics:
    steps = (epoch + 1) * program.steps_per_epoch
    metrics = EpochMetrics(
        epoch=epoch + 1,
        step=steps,
        learning_rate=float(program.rate(steps - 1)),
        train_loss=float(seen.loss) / int(seen.images),
        train_penalty=float(seen.penalty) / int(seen.images),
        train_accuracy=int(seen.correct) / int(seen.images),
        validation_loss=float(held_out.loss) / int(held_out.images),
        validation_accuracy=int(held_out.correct) / int(held_out.images),
        seconds=seconds,
    )
    losses = [metrics.train_loss, metrics.train_penalty, metrics.validation_loss]
    if not np.isfinite(losses).all():
        raise ju.InputError(
            f"the loss became NaN or infinite in epoch {epoch + 1}: train with a lower learning "
            f"rate than {program.config.optimizer.learning_rate} in another run folder; the last "
            "checkpoint is kept"
        )
    return metrics
