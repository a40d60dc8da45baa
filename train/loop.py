"""Train a network, or go on where an earlier run was stopped."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import optax

import jaxunits as ju
from jaxunits.networks import arrays

from .checkpoints import CheckpointFolder
from .config import Config
from .metrics import EpochMetrics, read_metrics, write_metrics
from .optimizers import build_optimizer, learning_rate
from .progress import Progress
from .step import Evaluate, State, Step, Sums, build_evaluate, build_step, no_sums


class _Run(NamedTuple):
    """What stays the same over the epochs."""

    config: Config
    network: ju.networks.Network
    train_data: ju.data.Dataset
    validation_data: ju.data.Dataset
    step: Step
    evaluate: Evaluate
    rate: optax.Schedule
    steps_per_epoch: int


def train(config: Config, path: Path, progress: Progress) -> list[EpochMetrics]:
    """Train until all epochs are done; epochs that the run folder holds already are not repeated.

    The order of the images depends on seed and epoch alone, and a checkpoint holds parameters and
    optimizer, so that a run that was stopped at any moment ends with the same parameters as one
    that was not.

    Args:
      config: what to train.
      path: the run folder.
      progress: where to tell of it.

    Returns:
      All epochs' metrics.

    Raises:
      InputError: the run folder is in use, or belongs to another configuration or other images; the
        data cannot be used; or the loss is NaN.
      OSError: no space is left.
    """
    train_data, validation_data = (
        config.data.load(split) for split in (config.data.train_split, config.data.validation_split)
    )
    if train_data.class_names != validation_data.class_names:
        raise ju.InputError(
            f"splits {train_data.split!r} and {validation_data.split!r} of {train_data.name!r} "
            "have different classes: give two splits of the same classes"
        )
    classes = len(train_data.class_names)
    network = config.network.build(classes, config.preprocessing, config.seed)
    for data in (train_data, validation_data):
        ju.data.check_channels(data, network.preprocessing)
    folder = ju.results.RunFolder(path)
    with folder.in_use():
        images = {"train": train_data.fingerprint, "validation": validation_data.fingerprint}
        claimed = config.description() | {"data_fingerprint": images}
        folder.claim(claimed, may_differ=("checkpoints",))
        ju.networks.save_architecture(network, path)
        run = _prepare(config, network, train_data, validation_data)
        with CheckpointFolder(folder.checkpoints, config.checkpoints) as checkpoints:
            return _epochs(run, folder, checkpoints, progress)


def _prepare(
    config: Config,
    network: ju.networks.Network,
    train_data: ju.data.Dataset,
    validation_data: ju.data.Dataset,
) -> _Run:
    steps = math.ceil(len(train_data) / config.batch_size)
    return _Run(
        config=config,
        network=network,
        train_data=train_data,
        validation_data=validation_data,
        step=build_step(network, build_optimizer(config, steps), config.precision),
        evaluate=build_evaluate(network, config.precision),
        rate=learning_rate(config, steps),
        steps_per_epoch=steps,
    )


def _epochs(
    run: _Run, folder: ju.results.RunFolder, checkpoints: CheckpointFolder, progress: Progress
) -> list[EpochMetrics]:
    params = arrays(run.network)
    state = State(params, build_optimizer(run.config, run.steps_per_epoch).init(params))
    if checkpoints.epochs:
        state = checkpoints.load(state)
    metrics = [epoch for epoch in read_metrics(folder.metrics) if epoch.epoch <= checkpoints.epochs]
    progress.start(run.config.epochs, checkpoints.epochs, run.steps_per_epoch)
    for epoch in range(checkpoints.epochs, run.config.epochs):
        state, result = _epoch(run, state, epoch, progress)
        metrics.append(result)
        write_metrics(folder.metrics, metrics)
        done = epoch + 1
        if done % run.config.checkpoints.every == 0 or done == run.config.epochs:
            checkpoints.save(done, state)
        progress.epoch(result)
    return metrics


def _epoch(run: _Run, state: State, epoch: int, progress: Progress) -> tuple[State, EpochMetrics]:
    started = time.perf_counter()
    config, preprocessing = run.config, run.network.preprocessing
    seen = no_sums()
    for batch in ju.data.shuffled_batches(
        run.train_data, preprocessing, config.batch_size, seed=config.seed, epoch=epoch
    ):
        state, sums = run.step(state, batch)
        seen = jax.tree.map(jax.numpy.add, seen, sums)
        progress.step()
    held_out = no_sums()
    for batch in ju.data.batches(run.validation_data, preprocessing, config.batch_size):
        held_out = jax.tree.map(jax.numpy.add, held_out, run.evaluate(state.params, batch))
    train_loss, train_accuracy = _means(seen)
    validation_loss, validation_accuracy = _means(held_out)
    if not np.isfinite([train_loss, validation_loss]).all():
        raise ju.InputError(
            f"the loss became NaN or infinite in epoch {epoch + 1}: train with a lower "
            f"learning rate than {config.optimizer.learning_rate} in another run folder; the last "
            "checkpoint is kept"
        )
    steps = (epoch + 1) * run.steps_per_epoch
    return state, EpochMetrics(
        epoch=epoch + 1,
        step=steps,
        learning_rate=float(run.rate(steps - 1)),
        train_loss=train_loss,
        train_accuracy=train_accuracy,
        validation_loss=validation_loss,
        validation_accuracy=validation_accuracy,
        seconds=round(time.perf_counter() - started, 3),
    )


def _means(sums: Sums) -> tuple[float, float]:
    """Mean loss in nats and accuracy."""
    images = int(sums.images)
    return float(sums.loss) / images, int(sums.correct) / images
