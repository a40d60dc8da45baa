"""Studies: several configurations, each trained with several seeds."""

from __future__ import annotations

import dataclasses
import itertools
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from rich.console import Console
from rich.table import Table

import jaxunits as ju

from .config import Config
from .loop import train_together
from .metrics import EpochMetrics
from .networks import Network
from .progress import Progress
from .together import SideBySide


@dataclass(frozen=True)
class Study:
    """Configurations by name, each to be trained with every seed.

    Attributes:
      configs: the configurations; their own seeds are not used.
      seeds: the seeds of weights, order of images, augmentation and dropout.
    """

    configs: Mapping[str, Config]
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)


@dataclass(frozen=True)
class StudyOptions:
    """How to train a study; what follows `--` applies to each of its configurations."""

    seeds: Annotated[tuple[int, ...], ju.SEEDS] = ()
    """Seeds to train, instead of the study's."""
    only: tuple[str, ...] = ()
    """Some of its configurations; all by default."""
    together: Annotated[int, ju.Range(1)] = 5
    """The number of seeds trained at once."""
    side_by_side: SideBySide = "auto"
    """How they are trained: as one batched computation, or in threads (on CPUs)."""
    run_folder: Path | None = None
    """The folder above the run folders CONFIGURATION/seedN; `runs/NAME` by default."""
    distributed: bool = False
    """This process is one of several in a cluster job that train together."""

    def __post_init__(self) -> None:
        ju.check_settings(self)
        if len(set(self.seeds)) < len(self.seeds):
            raise ju.InputError(f"seeds={self.seeds}: give distinct integers")


def grid(
    base: Config,
    networks: Mapping[str, Network],
    variants: Mapping[str, Callable[[Config], Config]],
) -> dict[str, Config]:
    """Every network with every variant, as `NETWORK_VARIANT`.

    Args:
      base: what all share.
      networks: the networks by name.
      variants: what each changes.
    """
    return {
        f"{network}_{variant}": change(dataclasses.replace(base, network=networks[network]))
        for network, (variant, change) in itertools.product(networks, variants.items())
    }


def train_study(
    configs: Mapping[str, Config],
    seeds: Sequence[int],
    path: Path,
    together: int,
    progress: Progress,
    how: SideBySide = "auto",
) -> dict[str, list[list[EpochMetrics]]]:
    """Train every configuration with every seed; runs that are finished are not repeated.

    Args:
      configs: the configurations by name.
      seeds: the seeds.
      path: the folder above the run folders, `path/CONFIGURATION/seedN`.
      together: how many seeds are trained at once.
      progress: reports the progress.
      how: how they are trained side by side.

    Returns:
      For each configuration all epochs' metrics, by seed.

    Raises:
      InputError: as `train_together`.
    """
    results: dict[str, list[list[EpochMetrics]]] = {}
    for name, config in configs.items():
        results[name] = []
        for start in range(0, len(seeds), together):
            chosen = seeds[start : start + together]
            progress.console.print(f"{name}, seeds {', '.join(map(str, chosen))}")
            results[name] += train_together(
                [dataclasses.replace(config, seed=seed) for seed in chosen],
                [path / name / f"seed{seed}" for seed in chosen],
                progress,
                how,
            )
    return results


def chosen_configs(study: Study, only: Sequence[str]) -> dict[str, Config]:
    """Some of a study's configurations.

    Raises:
      InputError: there is no such configuration.
    """
    for name in only:
        if name not in study.configs:
            raise ju.unknown_name("configuration", name, study.configs, "the study")
    return {name: config for name, config in study.configs.items() if not only or name in only}


def print_results(results: Mapping[str, list[list[EpochMetrics]]], console: Console) -> None:
    """A table of accuracies after the last epoch: means, and standard deviations over seeds."""
    table = Table(title="accuracy after the last epoch, mean ± standard deviation over seeds")
    table.add_column("configuration")
    for name in ("seeds", "training", "validation"):
        table.add_column(name, justify="right")
    for name, runs in results.items():
        last = [run[-1] for run in runs]
        table.add_row(
            name,
            str(len(last)),
            _spread([row.train_accuracy for row in last]),
            _spread([row.validation_accuracy for row in last]),
        )
    console.print(table)


def _spread(values: Sequence[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.2%}"
    return f"{statistics.fmean(values):.2%} ± {statistics.stdev(values):.2%}"
