"""Whether reading keeps up with the device: `python -m tests.benchmarks.feeding`.

JPEG files of made photographs, for a ResNet18 of a quarter of its width at 224 pixels. Images go to
the device as uint8, as they do out of files, or in float32, as from sources that do not say that
they hold uint8. The files lie in the page cache, and compilation is not counted.
"""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, SupportsIndex

import numpy as np
import tyro
from PIL import Image
from rich.console import Console
from rich.table import Table

import jaxunits as ju
from jaxunits.execution import Execution, pieces, ranges, reading

from . import networks
from .clock import clocked

CLASSES = 4
LAYER = "layer4.1"


@dataclass(frozen=True)
class Settings:
    """What to measure."""

    images: int = 256
    """How many files there are."""
    size: tuple[int, int] = (500, 375)
    """Width and height of the files in pixels."""
    threads: tuple[int, ...] = (1, 2, 4)
    """How many threads decode."""
    narrow: int = 4
    """Every width of the network is divided by it."""
    batch_size: int = 32
    """Images per batch."""
    piece: int = 64
    """Images that are read while the device looks at as many others."""
    rounds: int = 3
    """How often everything is measured, in turn; medians are printed."""


class Seconds(NamedTuple):
    """What was measured of one way of feeding.

    Attributes:
      reading: nothing but the files.
      device: nothing but the device, with its images in memory.
      call: all of it.
      busy: what of the call the device, and what is done with its answers, took.
    """

    reading: float
    device: float
    call: float
    busy: float


class Undeclared:
    """The records of a data set that do not say which type they have."""

    def __init__(self, data: ju.data.Dataset) -> None:
        self._data = data
        self.labels = data.labels

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, index: SupportsIndex) -> Mapping[str, Any]:
        return self._data[index]


def main(settings: Settings) -> None:
    """Measure and print a table."""
    network = networks.resnet18(CLASSES, narrow=settings.narrow)
    network = dataclasses.replace(network, preprocessing=ju.data.IMAGENET)
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), settings)
        files = ju.data.load(f"folder:{folder}")
        sides = {
            (threads, kind): side_of(network, data, threads, settings)
            for threads in settings.threads
            for kind, data in (("uint8", files), ("float32", undeclared(files)))
        }
        for side in sides.values():
            side()
        rounds = [{name: side() for name, side in sides.items()} for _ in range(settings.rounds)]
    Console().print(table_of(rounds, settings))


def table_of(rounds: Sequence[Mapping[tuple[int, str], Seconds]], settings: Settings) -> Table:
    """Medians, a row for each way of feeding."""
    width, height = settings.size
    table = Table(
        title=f"{settings.images} JPEG files of {width} × {height} pixels, s",
        caption=f"Medians of {settings.rounds} rounds. Waiting: the share of the call in which the "
        "device had no images, that before the first piece included.",
        caption_justify="left",
    )
    for column in ("threads", "fed as", "reading alone", "device alone", "call", "waiting"):
        table.add_column(column, justify="right")
    for threads, kind in rounds[0]:
        found = [each[threads, kind] for each in rounds]
        waiting = statistics.median(1 - each.busy / each.call for each in found)
        columns = list(zip(*found, strict=True))[:3]
        seconds = (f"{statistics.median(column):.2f}" for column in columns)
        table.add_row(str(threads), kind, *seconds, f"{waiting:.0%}")
    return table


def side_of(
    network: ju.networks.Classifier, data: ju.data.Dataset, threads: int, settings: Settings
) -> Callable[[], Seconds]:
    """Measures one way of feeding."""
    execution = Execution(
        batch_size=settings.batch_size, images_per_piece=settings.piece, decoding_threads=threads
    )
    read = reading(data, network.preprocessing, execution)

    def files_alone() -> None:
        for _ in pieces(read, ranges(read, execution)):
            pass

    def busy_of(network: ju.networks.Classifier, data: ju.data.Dataset) -> float:
        found = ju.attributes.collect(
            *(network, LAYER, data),
            gradients=False,
            progress=False,
            **dataclasses.asdict(execution),
        )
        return float(found.attrs["run_seconds"])

    # Already as large as the network reads them, and in one array.
    fitting = dataclasses.replace(network.preprocessing, resize=None)
    held = in_memory(data, network.preprocessing)

    def seconds() -> Seconds:
        busy: list[float] = []
        alone = busy_of(dataclasses.replace(network, preprocessing=fitting), held)
        call = clocked(lambda: busy.append(busy_of(network, data)))
        return Seconds(clocked(files_alone), alone, call, statistics.median(busy))

    return seconds


def in_memory(data: ju.data.Dataset, preprocessing: ju.data.Preprocessing) -> ju.data.Dataset:
    """The images as large as a network reads them, decoded."""
    pixels = np.stack([preprocessing.fit(data[index]["image"]) for index in range(len(data))])
    held = ju.data.load((pixels, data.labels), class_names=data.class_names)
    return held if data.image_dtype == np.uint8 else undeclared(held)


def undeclared(data: ju.data.Dataset) -> ju.data.Dataset:
    """The same images, which go to the device in float32."""
    return dataclasses.replace(data, source=Undeclared(data))


def write(folder: Path, settings: Settings) -> None:
    """Smooth noise, which JPEG compresses as it does photographs, in folders by class."""
    random = np.random.default_rng(0)
    for number in range(settings.images):
        path = folder / str(number % CLASSES) / f"{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        small = Image.fromarray(random.integers(0, 256, (24, 32, 3), np.uint8))
        small.resize(settings.size, Image.Resampling.BICUBIC).save(path, quality=90)


if __name__ == "__main__":
    ju.use_compilation_cache()
    main(tyro.cli(Settings))
