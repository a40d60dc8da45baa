"""How training is reported: a bar on a terminal, a line per epoch elsewhere."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from .metrics import EpochMetrics


class Progress:
    """A context manager that shows steps and epochs."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._bar = Bar(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def start(self, epochs: int, done: int, steps_per_epoch: int) -> None:
        """Report how much there is to do, and how much is done already."""
        self._epochs = epochs
        for task in self._bar.task_ids:
            self._bar.remove_task(task)
        self._task = self._bar.add_task(
            "training", total=epochs * steps_per_epoch, completed=done * steps_per_epoch
        )
        if done:
            left = "nothing is left to do" if done >= epochs else "resuming from there"
            self.console.print(f"{done} of {epochs} epochs are done: {left}")

    def tell(self, message: str) -> None:
        """Report something about the run."""
        self.console.print(message)

    def step(self) -> None:
        """One step is done."""
        self._bar.advance(self._task)

    def epoch(self, runs: Sequence[EpochMetrics]) -> None:
        """One epoch of these runs is done; of several, their means are reported."""
        first = runs[0]
        several = f"mean of {len(runs)} seeds:  " if len(runs) > 1 else ""
        self.console.print(
            f"epoch {first.epoch:>{len(str(self._epochs))}}/{self._epochs}  {several}"
            f"train loss {_mean(run.train_loss for run in runs):.4f}, "
            f"accuracy {_mean(run.train_accuracy for run in runs):7.2%}  "
            f"validation loss {_mean(run.validation_loss for run in runs):.4f}, "
            f"accuracy {_mean(run.validation_accuracy for run in runs):7.2%}  "
            f"{first.seconds:.1f} s",
        )


def _mean(values: Iterable[float]) -> float:
    return statistics.fmean(values)
