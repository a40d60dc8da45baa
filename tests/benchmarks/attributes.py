"""All attributes of units against one plain pass over the same images.

    python -m tests.benchmarks.attributes

The plain pass is the network's logits alone, compiled, over the same batches. Random weights;
networks at their full size.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

import jax
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

import jaxunits as ju

from . import networks
from .clock import clocked, steady

CASES: dict[str, tuple[Callable[[], ju.networks.Classifier], int]] = {
    "conv net 32²": (networks.convnet32, 2048),
    "AlexNet 224², 365 classes": (networks.alexnet, 512),
    "ResNet18 224²": (networks.resnet18, 128),
    "VGG16 224²": (networks.vgg16, 32),
}


@dataclass(frozen=True)
class Settings:
    """What to measure."""

    only: tuple[str, ...] = ()
    """Some of the networks; all by default."""
    rounds: int = 3
    """How often all sides are measured, in turn; medians are printed."""
    batch_size: int = 32
    """Images per batch, on all sides."""


def main(settings: Settings) -> None:
    """Measure and print a table."""
    table = Table(
        title=f"in plain passes over the same images; medians of {settings.rounds} rounds",
        caption="backwards: with gradient and taylor, of the loss with respect to masks",
    )
    table.add_column("network, images, units")
    for column in (
        *("plain pass, s", "all layers", "all, backwards"),
        "last convolution, backwards",
    ):
        table.add_column(column, justify="right")
    for name in settings.only or CASES:
        table.add_row(*_row(name, settings))
    Console().print(table)


def _row(name: str, settings: Settings) -> list[str]:
    build, images = CASES[name]
    network = build()
    data = _noise(network, images)
    last = [name for name, layer in network.layers.items() if layer.map_shape][-1]
    plain = _plain(network, data, settings.batch_size)
    sides = {
        "plain": lambda: clocked(plain),
        "all": _collected(network, None, data, settings.batch_size, gradients=False),
        "both": _collected(network, None, data, settings.batch_size, gradients=True),
        "last": _collected(network, [last], data, settings.batch_size, gradients=True),
    }
    for side in sides.values():
        side()
    rounds = [{name: side() for name, side in sides.items()} for _ in range(settings.rounds)]
    units = sum(layer.num_units for layer in network.layers.values())
    plain_seconds = statistics.median(each["plain"] for each in rounds)
    ratios = [
        statistics.median(each[side] / each["plain"] for each in rounds)
        for side in ("all", "both", "last")
    ]
    return [
        f"{name}, {images:,}, {units:,}",
        f"{plain_seconds:.2f}",
        *(f"{ratio:.2f}" for ratio in ratios),
    ]


def _noise(network: ju.networks.Classifier, images: int) -> ju.data.Dataset:
    """Random images of squares, decoded beforehand."""
    random = np.random.default_rng(0)
    shape = network.preprocessing
    squares = random.integers(0, 256, (images, 8, 8, shape.channels), np.uint8)
    side = shape.size[0] // 8
    labels = random.integers(0, network.classes, images)
    names = [str(number) for number in range(network.classes)]
    pictures = squares.repeat(side, axis=1).repeat(side, axis=2)
    return ju.data.load((pictures, labels), class_names=names)


def _plain(
    network: ju.networks.Classifier, data: ju.data.Dataset, batch_size: int
) -> Callable[[], object]:
    run = jax.jit(network.function)

    def once() -> object:
        logits = [
            run(network.params, batch.images)
            for batch in ju.data.batches(data, network.preprocessing, batch_size)
        ]
        return jax.block_until_ready(logits)

    return once


def _collected(
    network: ju.networks.Classifier,
    layers: list[str] | None,
    data: ju.data.Dataset,
    batch_size: int,
    *,
    gradients: bool,
) -> Callable[[], float]:
    """Seconds of a pass, compilation left out as for the plain one."""

    def seconds() -> float:
        found = ju.attributes.collect(
            network, layers, data, gradients=gradients, batch_size=batch_size
        )
        return float(next(iter(found.values())).attrs["run_seconds"])

    return lambda: steady(seconds)


if __name__ == "__main__":
    ju.use_compilation_cache()
    main(tyro.cli(Settings))
