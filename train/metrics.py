"""Losses and accuracies by epoch, in a file of JSON lines."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import jaxunits as ju
from jaxunits import files


@dataclass(frozen=True)
class EpochMetrics:
    """The metrics of one epoch.

    Attributes:
      epoch: epochs done.
      step: steps done.
      learning_rate: the learning rate of the last step.
      train_loss: mean cross-entropy in nats over the epoch's training images, as they were seen.
      train_penalty: mean over its steps of what regularizers added to it.
      train_accuracy: share of them that were classified correctly.
      validation_loss: mean cross-entropy in nats over the validation images after the epoch.
      validation_accuracy: share of them that are classified correctly.
      seconds: how long the epoch took, evaluation included.
    """

    epoch: int
    step: int
    learning_rate: float
    train_loss: float
    train_penalty: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    seconds: float


def read_metrics(path: Path) -> list[EpochMetrics]:
    """The epochs of a metrics file; none if it is not there.

    Raises:
      InputError: a line of it is damaged.
    """
    if not path.exists():
        return []
    epochs: list[EpochMetrics] = []
    try:
        for line in path.read_text("utf-8").splitlines():
            epochs.append(EpochMetrics(**json.loads(line)))
    except (TypeError, ValueError, RecursionError) as error:
        raise ju.InputError(
            f"{path} is damaged at line {len(epochs) + 1} ({error}): train again with the same "
            "command, which rewrites it from the last checkpoint"
        ) from error
    return epochs


def write_metrics(path: Path, metrics: list[EpochMetrics]) -> None:
    """Write the epochs so far, whole or not at all."""
    files.write_atomically(path, _lines(metrics))


def restore_metrics(path: Path, metrics: list[EpochMetrics], tell: Callable[[str], None]) -> None:
    """Make a metrics file hold the epochs of a checkpoint; report if it was damaged."""
    wanted = _lines(metrics).encode()
    found = path.read_bytes() if path.exists() else b""
    if found == wanted:
        return
    # A run that was stopped between two saves has epochs of which no checkpoint tells.
    if not found.startswith(wanted):
        tell(f"{path} was damaged or missing: it is rewritten from the last checkpoint")
    write_metrics(path, metrics)


def _lines(metrics: list[EpochMetrics]) -> str:
    return "".join(json.dumps(asdict(epoch)) + "\n" for epoch in metrics)
