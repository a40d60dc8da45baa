"""What to train, on what, and how: frozen dataclasses, one sentence a field."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import jaxunits as ju


@dataclass(frozen=True)
class Data:
    """Images for training and for validation."""

    source: str = "digits"
    """`digits`, `tfds:NAME` or `folder:PATH`."""
    train_split: str = "train"
    """The split to train on."""
    validation_split: str = "validation"
    """The held-out split, on which accuracy is reported and units are ablated."""
    data_dir: str | None = None
    """The folder of prepared TensorFlow data sets; None for the usual one."""
    on_corrupt: Literal["raise", "skip"] = "raise"
    """What to do about files of a folder that cannot be decoded."""

    def load(self, split: str) -> ju.data.Dataset:
        """Load one of the splits."""
        return ju.data.load(self.source, split, data_dir=self.data_dir, on_corrupt=self.on_corrupt)


@dataclass(frozen=True)
class ConvNet:
    """The convolutional network of paper C."""

    widths: tuple[int, ...] = (64, 64, 128, 128)
    """Units of each convolution."""
    pool_after: tuple[str, ...] = ("conv2", "conv4")
    """The convolutions that are followed by a 2×2 max-pool."""
    dense: tuple[int, ...] = ()
    """Units of dense layers between the convolutions and the logits."""

    def build(
        self, classes: int, preprocessing: ju.data.Preprocessing, seed: int
    ) -> ju.networks.Network:
        """Build it with fresh weights."""
        return ju.networks.convnet(
            classes,
            widths=self.widths,
            pool_after=self.pool_after,
            dense=self.dense,
            preprocessing=preprocessing,
            seed=seed,
        )


@dataclass(frozen=True)
class MLP:
    """The multi-layer perceptron of paper C."""

    widths: tuple[int, ...] = (128, 512, 2048, 2048)
    """Units of each layer."""

    def build(
        self, classes: int, preprocessing: ju.data.Preprocessing, seed: int
    ) -> ju.networks.Network:
        """Build it with fresh weights."""
        return ju.networks.mlp(classes, widths=self.widths, preprocessing=preprocessing, seed=seed)


@dataclass(frozen=True)
class Schedule:
    """How the learning rate goes over the steps."""

    kind: Literal["constant", "cosine"] = "cosine"
    """Constant, or a cosine down to zero at the last step."""
    warmup_epochs: float = 0.0
    """Epochs of a linear rise from zero at the start."""


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent with momentum."""

    learning_rate: float = 0.05
    """The peak of the learning rate."""
    momentum: float = 0.9
    """Share of the last update that is kept."""
    nesterov: bool = True
    """Look ahead along the momentum."""
    weight_decay: float = 0.0
    """L2 penalty on kernels, added to the gradient."""


@dataclass(frozen=True)
class AdamW:
    """Adam with decoupled weight decay."""

    learning_rate: float = 1e-3
    """The peak of the learning rate."""
    weight_decay: float = 1e-4
    """Share of the kernels taken off a step, times the learning rate."""
    b1: float = 0.9
    """Decay of the mean of the gradients."""
    b2: float = 0.999
    """Decay of the mean of their squares."""


@dataclass(frozen=True)
class Checkpoints:
    """Which epochs are kept."""

    every: int = 1
    """Save after every so many epochs; the last epoch is always saved."""
    keep: Literal["all", "latest"] = "latest"
    """Keep them all (to study training) or the latest few."""
    latest: int = 2
    """How many the latest few are."""


@dataclass(frozen=True)
class Config:
    """Train one network."""

    preprocessing: ju.data.Preprocessing
    """What the network expects of images."""
    network: ConvNet | MLP = field(default_factory=ConvNet)
    """The network."""
    data: Data = field(default_factory=Data)
    """The images."""
    optimizer: SGD | AdamW = field(default_factory=SGD)
    """The optimizer."""
    schedule: Schedule = field(default_factory=Schedule)
    """The learning rate over time."""
    checkpoints: Checkpoints = field(default_factory=Checkpoints)
    """What is saved."""
    epochs: int = 10
    """How many times every training image is seen."""
    batch_size: int = 128
    """Images a step."""
    seed: int = 0
    """Of the weights and of the order of the images."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of activations and gradients; parameters stay in float32."""
    run_folder: Path | None = None
    """Where everything goes; `runs/NAME` by default."""

    def __post_init__(self) -> None:
        wrong = [
            f"{name}={value}"
            for name, value, least in (
                ("epochs", self.epochs, 1),
                ("batch_size", self.batch_size, 1),
                ("seed", self.seed, 0),
                ("checkpoints.every", self.checkpoints.every, 1),
                ("checkpoints.latest", self.checkpoints.latest, 1),
            )
            if value < least
        ]
        if wrong or self.optimizer.learning_rate <= 0:
            wrong += [f"optimizer.learning_rate={self.optimizer.learning_rate}"] * (
                self.optimizer.learning_rate <= 0
            )
            raise ju.InputError(f"{', '.join(wrong)}: give numbers above 0 (a seed from 0 on)")

    def description(self) -> dict[str, Any]:
        """The settings that decide what is computed, as JSON can hold them."""
        settings = dataclasses.asdict(self)
        del settings["run_folder"]
        return settings | {
            "network": {"kind": type(self.network).__name__} | settings["network"],
            "optimizer": {"kind": type(self.optimizer).__name__} | settings["optimizer"],
        }
