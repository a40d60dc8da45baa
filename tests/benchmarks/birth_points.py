"""Birth points by the kernel against a loop over ripser: `python -m tests.benchmarks.birth_points`.

Both sides find the birth points of the same maps in one process, in turn, round after round; the
table shows medians of the rounds. The kernel takes all maps, from the array of maps to the array of
birth points; compilation is not counted. ripser is timed on some of them and scaled, from ranks
that are ready and from maps; the birth points of these maps are compared. With `--agreement 24000`
so many maps of many kinds and sizes are compared between the kernel, ripser and GUDHI instead.
"""

from __future__ import annotations

import itertools
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from jaxtyping import Float32, Int64, UInt8
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table
from ripser import ripser

import jaxunits as ju
from tests.topology.gudhi_holes import births_by_gudhi
from tests.topology.maps import KINDS, maps_of

from .networks import vgg16, with_random_weights

LIMIT = 50
SIDES = (3, 4, 5, 7, 8, 13, 14, 16, 28, 32)
Maps = Float32[np.ndarray, "images side side units"]


@dataclass(frozen=True)
class Settings:
    """What to measure."""

    images: int = 100
    """Images of each kind of maps."""
    units: int = 512
    """Units; images times units is the number of maps."""
    side: int = 14
    """Rows and columns of the random maps."""
    sample: int = 2000
    """How many maps ripser is timed on."""
    rounds: int = 5
    """How often each side runs."""
    weights: Path | None = None
    """Trained weights of VGG16's convolutions; random ones by default."""
    photographs: Path | None = None
    """A folder of JPEG files that VGG16 looks at; random colors by default."""
    agreement: int = 0
    """How many maps are compared with ripser and GUDHI; 0 to measure times instead."""


def main(settings: Settings) -> None:
    """Measure, or compare, and print a table."""
    console = Console()
    if settings.agreement:
        console.print(agreement(settings.agreement, settings))
        return
    table = Table(
        title=f"birth points of {settings.side}×{settings.side} maps",
        caption=(
            f"Microseconds a map, medians of {settings.rounds} rounds. ripser runs on "
            f"{settings.sample} of the maps and is scaled; they have the same birth points on both "
            "sides. kernel: from maps to birth points; ripser: from ranks that are ready; loop: "
            "from maps, a call of NumPy's unique and of ripser each."
        ),
        caption_justify="left",
    )
    columns = ("maps", "number", "zeros", "born", "kernel", "ripser", "ratio", "loop", "ratio")
    for column in columns:
        table.add_column(column, justify="left" if column == "maps" else "right")
    console.print(f"load average of the minute before: {os.getloadavg()[0]:.1f}")
    for name, make in makers(settings).items():
        table.add_row(name, *measured(make(), settings))
    console.print(table)


def makers(settings: Settings) -> dict[str, Callable[[], Maps]]:
    """What gives the maps of each kind."""

    def random(kind: str) -> Callable[[], Maps]:
        return lambda: maps_of(kind, settings.side, settings.images, settings.units)

    return {
        **{kind: random(kind) for kind in ("random", "half zero", "90 % zero")},
        "3 bits": random("3 bits"),
        "conv net on digits, conv2": lambda: digits_maps(settings),
        "VGG16, conv5_3": lambda: vgg16_maps(settings),
    }


def digits_maps(settings: Settings) -> Maps:
    """Of a conv net with random weights on the embedded digits, 14×14 after its first pool.

    Background of one color gives the same value at many positions.
    """
    images = ju.data.Preprocessing(size=(28, 28), channels=1, mean=(0.13,), std=(0.31,))
    widths = (32, settings.units, 16)
    network = with_random_weights(
        lambda: ju.networks.convnet(
            10, widths=widths, pool_after=("conv1", "conv2"), preprocessing=images
        ),
        seed=0,
    )
    batch = next(ju.data.batches(ju.data.load("digits", "train"), images, settings.images))
    return np.asarray(network.activations(jnp.asarray(batch.images), "conv2"))


def vgg16_maps(settings: Settings) -> Maps:
    """Of the layer that Zhao and Zhang 2021 look at, an image after another."""
    network = vgg16(1)
    if settings.weights is not None:
        ju.networks.load_weights(network, settings.weights, partial=True)
    show = jax.jit(lambda images: network.activations(images, "conv5_3"))
    data = ju.data.load((pictures(settings), np.zeros(settings.images, np.int64)))
    batches = ju.data.batches(data, network.preprocessing, 1)
    return np.concatenate([np.asarray(show(batch.images)) for batch in batches])


def pictures(settings: Settings) -> UInt8[np.ndarray, "images 224 224 3"]:
    """Photographs, or squares of random colors."""
    if settings.photographs is None:
        random = np.random.default_rng(0)
        squares = random.integers(0, 256, (settings.images, 14, 14, 3), np.uint8)
        return squares.repeat(16, axis=1).repeat(16, axis=2)
    paths = sorted(settings.photographs.glob("*.jpg"))
    chosen = itertools.islice(itertools.cycle(paths), settings.images)
    return np.stack([np.asarray(Image.open(path).resize((224, 224))) for path in chosen])


def measured(maps: Maps, settings: Settings) -> list[str]:
    """A row of the table, after a comparison of both sides."""
    images, _, _, units = maps.shape
    places = np.linspace(0, images * units - 1, min(settings.sample, images * units)).astype(int)
    sample = [maps[place // units, ..., place % units] for place in places]
    distances = [distances_of(each) for each in sample]
    births = ju.topology.birth_points(maps, limit=LIMIT, method="kernel")
    np.testing.assert_array_equal(births.ravel()[places], loop_over_ripser(distances))
    sides: dict[str, Callable[[], object]] = {
        "kernel": lambda: ju.topology.birth_points(maps, limit=LIMIT, method="kernel"),
        "ripser": lambda: loop_over_ripser(distances),
        "ranks": lambda: [distances_of(each) for each in sample],
    }
    number = {"kernel": births.size, "ripser": len(sample), "ranks": len(sample)}
    rounds = [
        {side: seconds(call) / number[side] * 1e6 for side, call in sides.items()}
        for _ in range(settings.rounds)
    ]
    kernel, loop, ranks = (statistics.median(each[side] for each in rounds) for side in sides)
    ratio = statistics.median(each["ripser"] / each["kernel"] for each in rounds)
    whole = statistics.median((each["ripser"] + each["ranks"]) / each["kernel"] for each in rounds)
    return [
        f"{images * units}",
        f"{(maps == 0).mean():.0%}",
        f"{(births > 0).mean():.0%}",
        f"{kernel:.2f}",
        f"{loop:.1f}",
        f"{ratio:.0f}",
        f"{loop + ranks:.1f}",
        f"{whole:.0f}",
    ]


def distances_of(values: Float32[np.ndarray, "side side"]) -> Float32[np.ndarray, "side side"]:
    """The ranks of a map's edges as ripser reads them; what never enters comes after all others."""
    weights = np.abs(np.maximum(values, values.T))
    np.fill_diagonal(weights, 0)
    levels, place = np.unique(weights, return_inverse=True)
    # The lowest level is 0, of the diagonal at least.
    distances = (len(levels) - place.reshape(weights.shape)).astype(np.float32)
    np.fill_diagonal(distances, 0)
    return distances


def loop_over_ripser(distances: list[np.ndarray]) -> Int64[np.ndarray, " maps"]:
    """A call a map."""
    births = np.zeros(len(distances), np.int64)
    for place, each in enumerate(distances):
        until = min(LIMIT, each.max() - 1)
        holes = ripser(each, maxdim=1, thresh=until, distance_matrix=True)["dgms"][1]
        births[place] = holes[:, 0].min(initial=np.inf) if len(holes) else 0
    return births


def seconds(function: Callable[[], object]) -> float:
    """Wall-clock seconds of a call."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def agreement(maps: int, settings: Settings) -> Table:
    """Compare kernel, ripser and GUDHI on many maps of every kind and size, and of networks."""
    cells = [(kind, side) for side in SIDES for kind in KINDS]
    each = -(-maps // (len(cells) + 1))
    few = replace(settings, images=max(1, each // 512), units=512)
    sets = [maps_of(kind, side, -(-each // 8), 8, seed=1) for kind, side in cells]
    sets += [digits_maps(few), vgg16_maps(few)]
    table = Table(title="Maps with the same birth points on three sides")
    for column in ("size", "maps", "born", "different"):
        table.add_column(column, justify="right")
    rows: dict[int, list[int]] = {}
    for chosen in track(sets, transient=True):
        births = ju.topology.birth_points(chosen, method="kernel")
        others = [ju.topology.birth_points(chosen, method="ripser"), births_by_gudhi(chosen)]
        different = int(np.any([births != other for other in others], axis=0).sum())
        row = rows.setdefault(chosen.shape[1], [0, 0, 0])
        row[:] = np.add(row, [births.size, (births > 0).sum(), different]).tolist()
    for side, row in [*rows.items(), ("all", np.sum(list(rows.values()), axis=0).tolist())]:
        table.add_row(str(side), *map(str, row))
    return table


if __name__ == "__main__":
    ju.use_compilation_cache()
    main(tyro.cli(Settings))
