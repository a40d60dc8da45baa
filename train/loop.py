"""Train networks, or resume where an earlier run was stopped."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

import jaxunits as ju

from .checkpoints import CheckpointFolder
from .config import Config
from .devices import Devices
from .metrics import EpochMetrics, restore_metrics, write_metrics
from .optimizers import build_optimizer
from .program import Program, prepare, run_epoch
from .progress import Progress
from .step import State, initial_state
from .together import SideBySide, in_threads, lanes, one_of, stack


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
      configs: what to train; they differ only in their seeds.
      paths: the run folder of each.
      progress: reports the progress.
      how: how several are trained side by side, see `lanes`.

    Returns:
      All epochs' metrics, by run.

    Raises:
      InputError: a run folder is in use, or belongs to another configuration or other images; the
        data or a batch of them cannot be used; or a loss is NaN.
      OSError: no space is left.
    """
    config = configs[0]
    devices = Devices(config.batch_size)
    ju.data.check_batch(config.preprocessing, config.batch_size, devices.processes)
    train_data, validation_data = _load(config)
    classes = len(train_data.class_names)
    networks = [_build(each, classes) for each in configs]
    config.regularizers.check(networks[0])
    images = {"train": train_data.fingerprint, "validation": validation_data.fingerprint}
    with contextlib.ExitStack() as held:
        for each, path, network in zip(configs, paths, networks, strict=True):
            claim = functools.partial(_claim, held, each, path, images, network)
            devices.agree(f"run folder {path}", claim)
        folders = [
            held.enter_context(
                CheckpointFolder(ju.results.RunFolder(path).checkpoints, config.checkpoints)
            )
            for path in paths
        ]
        seeds = [each.seed for each in configs]
        grouped = lanes(len(seeds), how, networks[0])
        programs = prepare(
            config, seeds, networks[0], devices, train_data, validation_data, grouped
        )
        return _epochs(programs, networks, paths, folders, progress)


def _load(config: Config) -> tuple[ju.data.Dataset, ju.data.Dataset]:
    """Images for training and held-out images, of the same classes."""
    train_data, validation_data = config.data.load_train(), config.data.load_validation()
    if train_data.class_names != validation_data.class_names:
        raise ju.InputError(
            f"splits {train_data.split!r} and {validation_data.split!r} of {train_data.name!r} "
            "have different classes: give two splits of the same classes"
        )
    for data in (train_data, validation_data):
        ju.data.check_channels(data, config.preprocessing)
    return train_data, validation_data


def _build(config: Config, classes: int) -> ju.networks.Classifier:
    """The network before training."""
    network = config.network.build(classes, config.preprocessing, config.seed)
    if config.weights is not None:
        network = ju.networks.load_weights(network, config.weights, partial=True)
    return network


def _claim(
    held: contextlib.ExitStack,
    config: Config,
    path: Path,
    images: dict[str, str],
    network: ju.networks.Classifier,
) -> None:
    """Hold a run folder and make it this configuration's."""
    folder = ju.results.RunFolder(path)
    held.enter_context(folder.in_use())
    folder.claim(config.description() | {"data_fingerprint": images}, may_differ=("checkpoints",))
    # Of a network of the user's own only its author can build another one.
    if network.architecture is not None:
        ju.networks.save_architecture(network, path)


def _epochs(
    programs: Sequence[Program],
    networks: Sequence[ju.networks.Classifier],
    paths: Sequence[Path],
    folders: Sequence[CheckpointFolder],
    progress: Progress,
) -> list[list[EpochMetrics]]:
    config, devices = programs[0].config, programs[0].devices
    done, states, metrics = _saved(programs, networks, folders, progress)
    places = [ju.results.RunFolder(path).metrics for path in paths]
    if done and devices.first:
        for place, rows in zip(places, metrics, strict=True):
            restore_metrics(place, rows, progress.tell)
    progress.start(config.epochs, done, programs[0].steps_per_epoch * len(programs))
    for epoch in range(done, config.epochs):
        lanes_done = in_threads(
            lambda lane: run_epoch(programs[lane], states[lane], epoch, progress),  # noqa: B023
            range(len(programs)),
        )
        states = [state for state, _ in lanes_done]
        results = [result for _, of_lane in lanes_done for result in of_lane]
        for place, rows, result in zip(places, metrics, results, strict=True):
            rows.append(result)
            if devices.first:
                write_metrics(place, rows)
        if (epoch + 1) % config.checkpoints.every == 0 or epoch + 1 == config.epochs:
            for folder, state, rows in zip(folders, _apart(programs, states), metrics, strict=True):
                folder.save(epoch + 1, state, rows)
        progress.epoch(results)
    return metrics


def _saved(
    programs: Sequence[Program],
    networks: Sequence[ju.networks.Classifier],
    folders: Sequence[CheckpointFolder],
    progress: Progress,
) -> tuple[int, list[State], list[list[EpochMetrics]]]:
    """Epochs done, the state of each program and the metrics of each run after them."""
    devices = programs[0].devices
    optimizer = build_optimizer(programs[0].config, programs[0].steps_per_epoch)
    fresh = [initial_state(network, optimizer) for network in networks]
    # Runs that were stopped between two of their saves resume from where the last of them was.
    while done := min(folder.epochs for folder in folders):
        loaded = [
            _whole(folder, done, state, devices, progress)
            for folder, state in zip(folders, fresh, strict=True)
        ]
        whole = [each for each in loaded if each is not None]
        if len(whole) == len(folders):
            return done, _batched(programs, [state for state, _ in whole]), [m for _, m in whole]
    return 0, _batched(programs, fresh), [[] for _ in folders]


def _whole(
    folder: CheckpointFolder, done: int, like: State, devices: Devices, progress: Progress
) -> tuple[State, list[EpochMetrics]] | None:
    """What a checkpoint holds; nothing if it is damaged, which is reported, and it is set aside."""
    try:
        return folder.load(done, like, devices.everywhere)
    except ju.networks.DamagedCheckpointError as error:
        devices.agree(f"checkpoints {folder.path}", functools.partial(folder.set_aside, done))
        folder.reload()
        progress.tell(str(error))
        return None


def _batched(programs: Sequence[Program], states: Sequence[State]) -> list[State]:
    """The state of each program, of the states of its runs."""
    runs = iter(states)
    return [
        program.devices.replicate(stack([next(runs) for _ in program.seeds]))
        for program in programs
    ]


def _apart(programs: Sequence[Program], states: Sequence[State]) -> Iterator[State]:
    """The state of each run."""
    for program, state in zip(programs, states, strict=True):
        for run in range(len(program.seeds)):
            yield one_of(state, run, len(program.seeds))
