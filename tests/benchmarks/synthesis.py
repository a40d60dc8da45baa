"""Images for a whole layer at once against one unit after another.

    python -m tests.benchmarks.synthesis

All sides make the same images from the same starts, in turn, in one process; compilation is not
counted on any. One unit after another is

- JAX: a compiled step of gradient ascent as it is usually written, for one image and the whole
  layer, whatever the unit;
- PyTorch: the same with autograd (`--pytorch`, which needs the extra `bench`);
- one image: the library's own program, compiled for one image;
- calls: a call of `maximize` for every unit, whose images have the same bits as together, since it
  fills up a vector register with copies.

A call for one unit so computes eight images, and its ratio tells little of the batch; that of one
image does. Together, dense layers read their weights once for all images. The library computes of
the layer itself the unit's channel alone, which the loops in JAX and PyTorch do not.
"""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tyro
from jaxtyping import Float32
from rich.console import Console
from rich.table import Table

import jaxunits as ju
from jaxunits.networks import Classifier

from .jax_ascent import Ascend, Image, ascent
from .networks import alexnet, convnet32, vgg16, with_random_weights

DIGITS = ju.data.Preprocessing(size=(28, 28), channels=1, mean=(0.13,), std=(0.31,))
NETWORKS: dict[str, Callable[[], Classifier]] = {
    "MLP 128-512-2048-2048": lambda: with_random_weights(
        lambda: ju.networks.mlp(10, preprocessing=DIGITS), 0
    ),
    "conv net 16-16-32-32": lambda: with_random_weights(
        lambda: ju.networks.convnet(
            10, widths=(16, 16, 32, 32), pool_after=("conv1", "conv3"), preprocessing=DIGITS
        ),
        0,
    ),
    "conv net 64-64-128-128": convnet32,
    "VGG16 32²": lambda: vgg16(10, size=32),
    "AlexNet 64²": lambda: alexnet(size=64),
}
LAYERS = {
    "MLP 128-512-2048-2048": ("fc1", "fc2", "fc4"),
    "conv net 16-16-32-32": ("conv1", "conv4"),
    "conv net 64-64-128-128": ("conv1", "conv4"),
    "VGG16 32²": ("conv3_3", "conv5_3"),
    "AlexNet 64²": ("conv5", "fc6"),
}

# What the images may differ in.
TOLERANCE = 1e-4

Images = Float32[np.ndarray, "units height width channels"]
Make = Callable[[int], tuple[float, Images]]


@dataclass(frozen=True)
class Settings:
    """What to measure."""

    steps: int = 32
    """Steps of ascent that are timed."""
    compared: int = 16
    """Steps after which the images are compared."""
    alone: int = 8
    """Units that are made one by one; their time is scaled to the layer."""
    together: int = 128
    """Units of the layer that are made at once, at most; likewise scaled."""
    rounds: int = 3
    """How often all sides are measured, in turn; medians are printed."""
    pytorch: bool = False
    """Whether PyTorch makes the images too, a unit after another (needs the extra `bench`)."""
    only: tuple[str, ...] = ()
    """Some of the networks; all by default."""


def made(
    network: Classifier, layer: str, starts: Images, at_once: int | None, steps: int
) -> tuple[float, Images]:
    """Seconds an image and step, and the images, of as many units as there are starts."""
    begun = time.perf_counter()
    result = ju.synthesis.maximize(
        network,
        layer,
        range(len(starts)),
        initial=starts,
        method=ju.synthesis.Method(steps=steps),
        batch_size=at_once,
    )
    return (time.perf_counter() - begun) / (len(starts) * steps), result.image.values


def made_by_calls(
    network: Classifier, layer: str, starts: Images, steps: int
) -> tuple[float, Images]:
    """As `made`, by a call for each unit."""
    method = ju.synthesis.Method(steps=steps)

    def ascend(unit: int, start: Image) -> Image:
        result = ju.synthesis.maximize(network, layer, [unit], initial=start, method=method)
        image: Image = result.image.values[0]
        return image

    return one_after_another(ascend, starts, steps)


def one_after_another(ascend: Ascend, starts: Images, steps: int) -> tuple[float, Images]:
    """As `made`, by what makes the image of a unit; the median of its times."""
    images, times = [], []
    for unit, start in enumerate(starts):
        begun = time.perf_counter()
        images.append(ascend(unit, start))
        times.append(time.perf_counter() - begun)
    return statistics.median(times) / steps, np.stack(images)


def made_by_pytorch(
    network: Classifier, layer: str, starts: Images, steps: int
) -> tuple[float, Images]:
    """As `made`, by PyTorch, a unit after another."""
    from .torch_ascent import ascend
    from .torch_networks import torch_twin

    twin, method = torch_twin(network), ju.synthesis.Method(steps=steps)
    return one_after_another(
        lambda unit, start: ascend(twin, network.preprocessing, layer, unit, start, method),
        starts,
        steps,
    )


def sides_of(network: Classifier, layer: str, settings: Settings) -> dict[str, Make]:
    """What makes images in so many steps, for each side."""
    units = min(network.layers[layer].num_units, settings.together)
    shape = (units, *network.preprocessing.size, network.preprocessing.channels)
    starts = np.random.default_rng(0).normal(0.5, 0.1, shape).clip(0, 1).astype(np.float32)
    few = starts[: settings.alone]
    loop = functools.cache(lambda steps: ascent(network, layer, ju.synthesis.Method(steps=steps)))
    sides: dict[str, Make] = {
        "together": lambda steps: made(network, layer, starts, None, steps),
        "JAX": lambda steps: one_after_another(loop(steps), few, steps),
    }
    if settings.pytorch:
        sides["PyTorch"] = lambda steps: made_by_pytorch(network, layer, few, steps)
    sides["one image"] = lambda steps: made(network, layer, few, 1, steps)
    sides["calls"] = lambda steps: made_by_calls(network, layer, few, steps)
    return sides


def compared(network: Classifier, layer: str, settings: Settings) -> list[list[str]]:
    """Rows of the table: a side each, with milliseconds, ratio and largest difference."""
    sides = sides_of(network, layer, settings)
    images = {side: make(settings.compared)[1] for side, make in sides.items()}
    for make in sides.values():
        make(settings.steps)
    times: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(settings.rounds):
        for side, make in sides.items():
            times[side].append(make(settings.steps)[0])
    rows = []
    for side, alone in times.items():
        differences = abs(images[side][: settings.alone] - images["together"][: settings.alone])
        ratio = np.median(np.divide(alone, times["together"]))
        largest = differences.max((1, 2, 3))
        rows.append(
            [
                side,
                f"{1e3 * statistics.median(alone):.3f}",
                f"{ratio:.1f} ×",
                f"{np.median(largest):.0e}",
                f"{(largest > TOLERANCE).sum()} of {len(largest)}",
            ]
        )
    return rows


def main(settings: Settings) -> None:
    """Measure and print a table."""
    table = Table(
        title=f"milliseconds an image and step, medians of {settings.rounds} rounds",
        caption=(
            f"Of {settings.steps} steps; of the layer's first units, {settings.together} together "
            f"and {settings.alone} one after another. difference: the largest of a pixel, in the "
            f"median image, after {settings.compared} steps; differing: images in which it is "
            f"above {TOLERANCE:.0e} (rounding can lead ascent across the kink of a ReLU)."
        ),
    )
    for column in ("network", "layer", "side"):
        table.add_column(column)
    for column in ("milliseconds", "÷ together", "difference", "differing"):
        table.add_column(column, justify="right")
    for name in settings.only or NETWORKS:
        network = NETWORKS[name]()
        for layer in LAYERS[name]:
            for row in compared(network, layer, settings):
                table.add_row(name, layer, *row)
            table.add_section()
    Console(width=120).print(table)


if __name__ == "__main__":
    ju.use_compilation_cache()
    main(tyro.cli(Settings))
