"""Seeds trained together against one after another, on the embedded digits.

    python -m tests.benchmarks.seeds

All sides train the same runs with the training program, evaluation and reading of images included;
the first epoch, which compiles, and checkpoints are left out. The arrays that come out are compared
with those of one run after another.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import jax
import numpy as np
import tyro
from flax import nnx
from rich.console import Console
from rich.table import Table

import jaxunits as ju
from jaxunits.train.config import AdamW, Checkpoints, Config, Data
from jaxunits.train.networks import MLP, ConvNet, Network
from jaxunits.train.progress import Progress
from jaxunits.train.study import train_study

ALONE = "one by one"
DIGITS = ju.data.Preprocessing(size=(28, 28), channels=1, mean=(0.13,), std=(0.31,))
NETWORKS: dict[str, Network] = {
    "MLP 32-64-64": MLP((32, 64, 64)),
    "MLP 128-512-2048-2048": MLP(),
    "conv net 16-16-32-32": ConvNet((16, 16, 32, 32), ("conv1", "conv3")),
    "conv net 8-16-16, batch norm": ConvNet((8, 16, 16), ("conv1", "conv2"), batch_norm=True),
}


@dataclass(frozen=True)
class Settings:
    """What to measure."""

    seeds: int = 4
    """How many seeds are trained."""
    epochs: int = 4
    """Epochs of each run; all but the first are timed."""
    rounds: int = 3
    """How often all sides are measured, in turn; medians are printed."""
    only: tuple[str, ...] = ()
    """Some of the networks; all by default."""
    how: tuple[Literal["threads", "vmap"], ...] = ("threads", "vmap")
    """The ways that are compared with one run after another."""


class Clock(Progress):
    """A silent progress that knows when epochs ended."""

    def __init__(self) -> None:
        super().__init__(Console(quiet=True))
        self.seconds = 0.0
        self._last: float | None = None

    def start(self, epochs: int, done: int, steps_per_epoch: int) -> None:
        """Forget the last run."""
        super().start(epochs, done, steps_per_epoch)
        self._last = None

    def epoch(self, runs: object) -> None:
        """Add up the time since the epoch before."""
        now = time.perf_counter()
        self.seconds += 0.0 if self._last is None else now - self._last
        self._last = now


def measured(config: Config, seeds: int, how: str, folder: Path) -> float:
    """Seconds of training, without the first epochs."""
    clock = Clock()
    together = 1 if how == ALONE else seeds
    side_by_side: Literal["auto", "threads", "vmap"] = (
        "vmap" if how == "vmap" else "threads" if how == "threads" else "auto"
    )
    with clock:
        train_study({"run": config}, range(seeds), folder, together, clock, side_by_side)
    return clock.seconds


def largest_difference(one: Path, other: Path, seeds: int) -> float:
    """Over all arrays of all runs, relative to each array's largest number."""
    differences = []
    for seed in range(seeds):
        left, right = (
            jax.tree.leaves(nnx.state(ju.networks.restore(folder / f"run/seed{seed}")))
            for folder in (one, other)
        )
        differences += [
            float(abs(a - b).max() / (abs(b).max() + 1e-12))
            for a, b in zip(left, right, strict=True)
        ]
    return max(differences)


def main(settings: Settings) -> None:
    """Measure and print a table."""
    table = Table(
        title=f"{settings.seeds} seeds, seconds and ratios, medians of {settings.rounds} rounds",
        caption="difference: the largest over all arrays, relative to the array's largest number",
    )
    table.add_column("network")
    for column in (ALONE, *(part for how in settings.how for part in (how, "ratio", "difference"))):
        table.add_column(column, justify="right")
    for name in settings.only or NETWORKS:
        config = Config(
            preprocessing=DIGITS,
            network=NETWORKS[name],
            data=Data(in_memory=True),
            optimizer=AdamW(1e-3),
            checkpoints=Checkpoints(every=settings.epochs),
            epochs=settings.epochs,
        )
        table.add_row(name, *compared(config, settings))
    Console().print(table)


def compared(config: Config, settings: Settings) -> list[str]:
    """A row of the table."""
    times: dict[str, list[float]] = {each: [] for each in (ALONE, *settings.how)}
    with tempfile.TemporaryDirectory() as folder:
        for number, how in itertools.product(range(settings.rounds), times):
            place = Path(folder) / f"{number}_{how}"
            times[how].append(measured(config, settings.seeds, how, place))
        cells = [f"{statistics.median(times[ALONE]):.2f}"]
        for how in settings.how:
            places = [Path(folder) / f"0_{each}" for each in (ALONE, how)]
            cells += [
                f"{statistics.median(times[how]):.2f}",
                f"{np.median(np.divide(times[ALONE], times[how])):.2f}",
                f"{largest_difference(places[0], places[1], settings.seeds):.0e}",
            ]
    return cells


if __name__ == "__main__":
    ju.use_compilation_cache()
    main(tyro.cli(Settings))
