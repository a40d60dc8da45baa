"""Losses and accuracies by epoch, in a file of JSON lines."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from jaxunits.results import write_atomically


@dataclass(frozen=True)
class EpochMetrics:
    """What one epoch came to.

    Attributes:
      epoch: epochs done.
      step: steps done.
      learning_rate: of the last step.
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
    """The epochs of a metrics file; none if it is not there."""
    if not path.exists():
        return []
    return [EpochMetrics(**json.loads(line)) for line in path.read_text().splitlines()]


def write_metrics(path: Path, metrics: list[EpochMetrics]) -> None:
    """Write the epochs so far, whole or not at all."""
    write_atomically(path, "".join(json.dumps(asdict(epoch)) + "\n" for epoch in metrics))
