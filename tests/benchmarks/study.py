"""A study in one pass against calls layer by layer: `python -m tests.benchmarks.study`.

Every unit of each layer ablated, and every attribute, of ResNet-20 on images of 32×32: by one call
of `ju.measure`, and by a call of `ju.ablation.sweep` and of `ju.attributes.collect` for each layer.
How often an image is read and how many programs a second identical study compiles are counted.
Noise and random weights cost what others do; `--weights` and `--images` name real ones.
"""

from __future__ import annotations

import collections
import multiprocessing
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, SupportsIndex

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

import jaxunits as ju
from jaxunits.networks import Classifier

NUMBERS = ("first", "second")
Study = Callable[[Classifier, list[str], ju.data.Dataset], list[Any]]


@dataclass(frozen=True)
class Settings:
    """What to measure."""

    images: int = 2000
    """How many images."""
    layers: tuple[str, ...] = ()
    """Some of the layers; all by default."""
    weights: Path | None = None
    """Weights of the network, in any format that `ju.networks.load_weights` reads."""
    data: str | None = None
    """What `ju.data.load` reads, with 10 classes; noise by default."""
    split: str | None = None
    """Its split."""


class Counted:
    """Images that count how often each is read."""

    def __init__(self, data: Any) -> None:
        self.data = data
        self.reads: collections.Counter[int] = collections.Counter()

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: SupportsIndex, /) -> Mapping[str, Any]:
        """A record, counted."""
        self.reads[int(index)] += 1
        record: Mapping[str, Any] = self.data[index]
        return record


def main(settings: Settings) -> None:
    """Measure each study in a process of its own, and print a table."""
    table = Table(title=f"ResNet-20, {settings.images:,} images")
    table.add_column("")
    for column in ("s", "of these compiling", "reads per image", "programs compiled"):
        table.add_column(column, justify="right")
    seconds: dict[str, list[float]] = {}
    for name in STUDIES:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            runs = process.submit(measured, name, settings).result()
        seconds[name] = [run.seconds for run in runs]
        for number, run in zip(NUMBERS, runs, strict=True):
            cells = f"{run.seconds:.1f}", f"{run.compiling:.1f}", run.reads, str(run.programs)
            table.add_row(f"{name}, {number}", *cells)
    for number, one, other in zip(NUMBERS, *seconds.values(), strict=True):
        table.add_row(f"ratio, {number}", f"{one / other:.2f}")
    Console(width=100).print(table)


class Run(NamedTuple):
    """What a study took.

    Attributes:
      seconds: in all.
      compiling: seconds of these.
      reads: how often the images were read, the least and the most.
      programs: how many were compiled.
    """

    seconds: float
    compiling: float
    reads: str
    programs: int


def measured(name: str, settings: Settings) -> list[Run]:
    """A study, twice."""
    network = ju.networks.cifar_resnet(20)
    if settings.weights is not None:
        network = ju.networks.load_weights(network, settings.weights)
    source = Counted(images(settings))
    data = ju.data.load(source, class_names=[str(number) for number in range(10)])
    layers = list(settings.layers or network.layers)
    return [run(STUDIES[name], network, layers, data, source) for _ in NUMBERS]


def run(
    study: Study,
    network: Classifier,
    layers: list[str],
    data: ju.data.Dataset,
    source: Counted,
) -> Run:
    """A study, once."""
    source.reads.clear()
    began = time.perf_counter()
    results = study(network, layers, data)
    seconds = time.perf_counter() - began
    times = source.reads.values()
    return Run(
        seconds,
        sum(float(each.attrs["compile_seconds"]) for each in results),
        f"{min(times)} to {max(times)}",
        sum(int(each.attrs["programs"]) for each in results),
    )


def images(settings: Settings) -> Any:
    """Records of images, held in memory."""
    if settings.data is not None:
        found = ju.data.load(settings.data, settings.split)
        return ju.data.in_memory(ju.data.sample(found, min(settings.images, len(found))))
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (settings.images, 32, 32, 3), np.uint8)
    return ju.data.load((pixels, np.arange(settings.images) % 10)).source


def together(network: Classifier, layers: list[str], data: ju.data.Dataset) -> list[Any]:
    """The results of one pass, one of each kind: what they share counts once."""
    wanted = [ju.ablation.Sweep(layers), ju.attributes.Attributes(layers)]
    swept, attributes = ju.measure(network, data, wanted, progress=False)
    return [*swept.values(), next(iter(attributes.values()))]


def apart(network: Classifier, layers: list[str], data: ju.data.Dataset) -> list[Any]:
    """The results of a call for each layer and kind."""
    calls: list[Callable[..., Any]] = [ju.ablation.sweep, ju.attributes.collect]
    return [call(network, layer, data, progress=False) for call in calls for layer in layers]


STUDIES: Mapping[str, Study] = {"one pass": together, "layer by layer": apart}

if __name__ == "__main__":
    main(tyro.cli(Settings))
