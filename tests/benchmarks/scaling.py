"""How the fast sweep's time grows: `python -m tests.benchmarks.scaling`.

A conv net on 32×32 images with one hidden dense layer; in turn the images, the units of the ablated
layer and the classes are multiplied, the rest stays. An exponent of 1 means twice the time for
twice as many. Compilation is not counted.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

import jaxunits as ju


def main(
    images: int = 128,
    units: int = 64,
    classes: int = 250,
    factors: tuple[int, ...] = (1, 2, 4),
    layers: tuple[str, ...] = ("conv3", "conv4"),
    batch_size: int = 32,
    rounds: int = 3,
) -> None:
    """Measure the growth with images, units and classes.

    Args:
      images: the fewest images.
      units: the fewest units of the ablated layer.
      classes: the fewest classes.
      factors: by what each of them is multiplied in turn.
      layers: the ablated layers, `conv1` to `conv4`.
      batch_size: images per batch.
      rounds: how often each point is measured.
    """
    table = Table(
        title=f"seconds of a sweep of all units, medians of {rounds} rounds",
        caption="exponent: slope of log seconds over log size, by least squares",
    )
    for column in ("layer", "growing", *(f"× {factor}" for factor in factors), "exponent"):
        table.add_column(column, justify="right")
    start = {"images": images, "units": units, "classes": classes}
    for layer in layers:
        for growing, smallest in start.items():
            sizes = [smallest * factor for factor in factors]
            points = [{**start, growing: size} for size in sizes]
            seconds = measure(layer, points, batch_size, rounds)
            exponent = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
            name = f"{growing} {', '.join(map(str, sizes))}"
            table.add_row(layer, name, *(f"{value:.3g}" for value in seconds), f"{exponent:.2f}")
    Console().print(table)


def measure(
    layer: str, points: Sequence[dict[str, int]], batch_size: int, rounds: int
) -> list[float]:
    """Seconds of each point, medians of rounds in which all points take their turn."""
    prepared = [prepare(layer, **point) for point in points]
    seconds: list[list[float]] = [[] for _ in points]
    for number in range(rounds + 1):
        for (network, data), times in zip(prepared, seconds, strict=True):
            result = ju.ablation.sweep(network, layer, data, batch_size=batch_size, method="fast")
            # The first round warms up.
            if number > 0:
                times.append(float(result.attrs["run_seconds"]))
    return [statistics.median(times) for times in seconds]


def prepare(
    layer: str, images: int, units: int, classes: int
) -> tuple[ju.networks.Classifier, ju.data.Dataset]:
    """The network whose layer has so many units, and as many random images."""
    names = ("conv1", "conv2", "conv3", "conv4")
    widths = [units if name == layer else 64 for name in names]
    network = ju.networks.convnet(classes, widths=widths, dense=(512,))
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (images, 32, 32, 3), np.uint8)
    labels = random.integers(0, classes, images)
    return network, ju.data.load((pictures, labels), class_names=[*map(str, range(classes))])


if __name__ == "__main__":
    tyro.cli(main)
