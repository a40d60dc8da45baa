"""What to train, on what, and how: frozen dataclasses, one sentence per field."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import jaxunits as ju
from jaxunits._reading import FileReading

from .networks import ConvNet, Network
from .regularizers import Regularizers

_ABOVE_ZERO = ju.Range(0, open="least")
_DECAY = ju.Range(0, 1, open="most")


@dataclass(frozen=True)
class Data(FileReading):
    """Images for training and for validation."""

    source: str = "digits"
    """`digits`, `tfds:NAME` or `folder:PATH`."""
    train_split: str = "train"
    """The split to train on."""
    validation_split: str = "validation"
    """The held-out split, on which accuracy is reported and units are ablated."""
    fraction: Annotated[float, ju.Range(0, 1, open="least")] = 1.0
    """Share of each class's training images that is used."""
    random_labels: Annotated[float, ju.Range(0, 1)] = 0.0
    """Share of the training images whose labels are drawn at random (Morcos et al. 2018)."""
    seed: Annotated[int, ju.SEEDS] = 0
    """The seed of the choice of training images and of the random labels."""
    in_memory: bool = False
    """Decode all images once and keep them: images of one size, up to 2 GiB per split."""
    threads: Annotated[int, ju.THREADS] = 4
    """The number of threads that decode images."""

    def load_train(self) -> ju.data.Dataset:
        """Load the training split, with its sample and random labels.

        Raises:
          InputError: the data cannot be used.
        """
        return self._held(ju.data.load_run_data(vars(self), training=True))

    def load_validation(self) -> ju.data.Dataset:
        """Load the held-out split.

        Raises:
          InputError: the data cannot be used.
        """
        return self._held(ju.data.load_run_data(vars(self)))

    def _held(self, data: ju.data.Dataset) -> ju.data.Dataset:
        return ju.data.in_memory(data, threads=self.threads) if self.in_memory else data


@dataclass(frozen=True)
class Schedule:
    """How the learning rate changes over the steps."""

    kind: Literal["constant", "cosine"] = "cosine"
    """Constant, or a cosine down to zero at the last step."""
    warmup_epochs: Annotated[float, ju.Range(0)] = 0.0
    """Epochs of a linear rise from zero at the start."""


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent with momentum."""

    learning_rate: Annotated[float, _ABOVE_ZERO] = 0.05
    """The peak of the learning rate."""
    momentum: Annotated[float, _DECAY] = 0.9
    """Share of the last update that is kept."""
    nesterov: bool = True
    """Use Nesterov momentum."""
    weight_decay: Annotated[float, ju.Range(0)] = 0.0
    """L2 penalty on kernels, added to the gradient."""


@dataclass(frozen=True)
class AdamW:
    """Adam with decoupled weight decay."""

    learning_rate: Annotated[float, _ABOVE_ZERO] = 1e-3
    """The peak of the learning rate."""
    weight_decay: Annotated[float, ju.Range(0)] = 1e-4
    """Share of the kernels subtracted per step, times the learning rate."""
    b1: Annotated[float, _DECAY] = 0.9
    """Decay of the mean of the gradients."""
    b2: Annotated[float, _DECAY] = 0.999
    """Decay of the mean of their squares."""


@dataclass(frozen=True)
class Checkpoints:
    """Which epochs are kept."""

    every: Annotated[int, ju.Range(1)] = 1
    """Save every this many epochs; the last epoch is always saved."""
    keep: Literal["all", "latest"] = "latest"
    """Keep them all (to study training) or the latest few."""
    latest: Annotated[int, ju.Range(1)] = 2
    """The number of latest checkpoints to keep."""


@dataclass(frozen=True)
class Config:
    """Train one network."""

    preprocessing: ju.data.Preprocessing
    """What the network expects of images."""
    network: Network = field(default_factory=ConvNet)
    """The network."""
    weights: Path | None = None
    """Start from the weights of this file; parameters that it lacks stay random."""
    data: Data = field(default_factory=Data)
    """The images."""
    optimizer: SGD | AdamW = field(default_factory=SGD)
    """The optimizer."""
    schedule: Schedule = field(default_factory=Schedule)
    """The learning rate over time."""
    regularizers: Regularizers = field(default_factory=Regularizers)
    """What is added to the loss."""
    augmentation: ju.data.Augmentation = field(
        default_factory=lambda: ju.data.Augmentation(flip=False)
    )
    """Random crops and flips of the training images; none by default."""
    checkpoints: Checkpoints = field(default_factory=Checkpoints)
    """What is saved."""
    epochs: Annotated[int, ju.Range(1, 10**6)] = 10
    """The number of passes over the training images."""
    batch_size: Annotated[int, ju.Range(1)] = 128
    """Images per step."""
    seed: Annotated[int, ju.SEEDS] = 0
    """The seed of the weights, the order of the images, their augmentation and dropout."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """The precision of activations and gradients; parameters stay in float32."""
    run_folder: Path | None = None
    """The run folder; `runs/NAME` by default."""
    distributed: bool = False
    """This process is one of several in a cluster job that train together."""

    def __post_init__(self) -> None:
        ju.check_settings(self)
        if self.schedule.warmup_epochs > self.epochs:
            raise ju.InputError(
                f"schedule.warmup_epochs={self.schedule.warmup_epochs} of epochs={self.epochs}: "
                f"give a number from 0 up to {self.epochs}"
            )

    def description(self) -> dict[str, Any]:
        """The settings that decide what is computed, as JSON can hold them."""
        settings = dataclasses.asdict(self)
        del settings["run_folder"], settings["distributed"]
        for name in ("verify", "in_memory", "threads"):
            del settings["data"][name]
        if self.weights is not None:
            settings["weights"] = _digest(self.weights)
        return settings | {
            "network": {"kind": type(self.network).__name__} | settings["network"],
            "optimizer": {"kind": type(self.optimizer).__name__} | settings["optimizer"],
        }


def _digest(path: Path) -> str:
    """The digest of a file, independent of its path."""
    with path.open("rb") as file:
        return f"sha256 {hashlib.file_digest(file, 'sha256').hexdigest()}"
