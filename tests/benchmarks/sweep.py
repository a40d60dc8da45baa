"""The fast sweep against other ways of ablating units: `python -m tests.benchmarks.sweep`.

All sides run in turn, round after round, in one process on the same images, in float32, on all
cores; the tables show medians of the rounds. Compilation is not counted on any side. Needs PyTorch
and a machine that does nothing else: PyTorch's threads wait for one another at every layer, and
other work slows it down more than JAX.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Literal

import torch
import tyro
from rich.console import Console
from rich.table import Table

import jaxunits as ju

from .measurement import NEAR, Case, Measurement, Seconds, Settings, measure_network
from .networks import alexnet, convnet32, resnet18, vgg16

NETWORKS: Mapping[str, Callable[[], ju.networks.Classifier]] = {
    "vgg16": vgg16,
    "alexnet": alexnet,
    "resnet18": resnet18,
    "convnet32": convnet32,
}
CASES = {
    "vgg16": Case(("conv5_3",), images=32, batch_size=16, masks_at_once=16),
    "alexnet": Case(("conv5",), images=64, batch_size=32, masks_at_once=16),
    "resnet18": Case(("layer4.1", "layer3.1"), images=64, batch_size=32, masks_at_once=1),
    "convnet32": Case(
        ("conv1", "conv2", "conv3", "conv4"), images=256, batch_size=32, masks_at_once=1
    ),
}


def main(
    network: Literal["vgg16", "alexnet", "resnet18", "convnet32"] | None = None,
    layers: tuple[str, ...] = (),
    images: int | None = None,
    batch_size: int | None = None,
    masks_at_once: int | None = None,
    rounds: int = 3,
    units: int = 3,
    masks: int = 144,
    channels_last: bool = False,
) -> None:
    """Compare them on a network, or on all of them.

    Args:
      network: which network; all by default.
      layers: layers of that network; those of its case by default.
      images: how many images; the case's number by default.
      batch_size: images per batch, on all sides; the case's by default.
      masks_at_once: masks that `vmap` evaluates together; the case's number by default.
      rounds: how often each side runs.
      units: how many units the loops of PyTorch are timed on.
      masks: how many masks `vmap` is timed on, at most.
      channels_last: let PyTorch keep channels on the last axis in memory.
    """
    torch.set_num_threads(os.cpu_count() or 1)
    console = Console()
    console.print(f"load average of the minute before: {os.getloadavg()[0]:.1f}")
    for name in [network] if network else CASES:
        case = CASES[name]
        case = replace(
            case,
            layers=layers or case.layers,
            images=images or case.images,
            batch_size=batch_size or case.batch_size,
            masks_at_once=masks_at_once or case.masks_at_once,
        )
        settings = Settings(rounds, units, masks, channels_last)
        measurements = measure_network(NETWORKS[name](), case, settings)
        console.print(table_of(name, case, settings, measurements))


def table_of(name: str, case: Case, settings: Settings, measurements: list[Measurement]) -> Table:
    """Seconds and their ratios, a column for each layer."""
    table = Table(
        title=f"{name}, {case.images} images in batches of {case.batch_size}",
        caption=caption(case, settings),
        caption_justify="left",
    )
    table.add_column("all units of the layer")
    for line in measurements:
        table.add_column(line.layer, justify="right")

    def row(label: str, values: Iterable[object], end_section: bool = False) -> None:
        table.add_row(label, *map(str, values), end_section=end_section)

    sides = list(measurements[0].seconds)
    row("units", (line.units for line in measurements))
    row("predictions compared: changed", (line.compared.changed for line in measurements))
    row("predictions compared: near", (line.compared.near for line in measurements), True)
    for side in sides:
        medians = (statistics.median(line.seconds[side]) for line in measurements)
        row(f"{side}, s", (f"{median:.3g}" for median in medians), side == sides[-1])
    pairs = [("ours", "plain JAX"), *((side, "ours") for side in sides[3:])]
    for over, under in [*pairs, ("plain PyTorch", "plain JAX")]:
        row(f"{over} ÷ {under}", (ratio(line.seconds, over, under) for line in measurements))
    return table


def caption(case: Case, settings: Settings) -> str:
    """How the numbers came about."""
    return (
        f"Medians of {settings.rounds} rounds. PyTorch's hooks and cached prefix are timed on "
        f"{settings.units} units and scaled to all units and one pass without ablation. vmapped "
        f"masks: {case.masks_at_once} at once, timed on about {settings.masks}; where there are "
        "more, continued by a straight line through that time and that of one chunk. Of the "
        f"predictions under ablation of {settings.units} units, compared with PyTorch's, some are "
        f"changed by it and some near ties (two best logits within {NEAR:g}); all but near ties "
        f"give the same counts. Channels are {'last' if settings.channels_last else 'first'} in "
        "PyTorch's memory."
    )


def ratio(seconds: Seconds, over: str, under: str) -> str:
    """The median of the rounds' ratios."""
    value = statistics.median(a / b for a, b in zip(seconds[over], seconds[under], strict=True))
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    tyro.cli(main)
