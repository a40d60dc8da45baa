"""Networks and images of `tests.benchmarks.accelerator`, and what they are compared with."""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import xarray as xr

import jaxunits as ju
from jaxunits.networks import Classifier

from .clock import clocked
from .foreign import LAST, LAYERS, plain_pass, prepared
from .networks import alexnet, convnet32, resnet18, vgg16, with_random_weights
from .rates import matrix_rate

PRECISIONS = ("float32", "tf32", "bfloat16")

BUILDERS: Mapping[str, Callable[..., Classifier]] = {
    "alexnet": alexnet,
    "resnet18": resnet18,
    "vgg16": vgg16,
}


@dataclass(frozen=True)
class Settings:
    """What to measure; on CPUs the defaults are smaller."""

    networks: str = "convnet,alexnet,resnet18,vgg16"
    """Which networks, with commas between them."""
    tables: str = ""
    """Which tables, with commas between them, as `SECTIONS` calls them; all by default."""
    images: int = 256
    """Images of a network's batch; eight times as many of the conv net's small ones."""
    size: int = 224
    """Height and width of images in pixels; 32 for the conv net."""
    narrow: int = 1
    """Widths are divided by it, but for the conv net."""
    matrix: int = 8192
    """Rows and columns of the matrices that are multiplied."""
    units: int = 3
    """Units that PyTorch's loops are timed on; their time is scaled to the layer."""
    steps: int = 16
    """Steps of ascent in synthesis."""
    alone: int = 4
    """Units whose images are made one by one."""
    together: int = 64
    """Units whose images are made together, at most."""
    seconds: float = 0.5
    """How long each side is timed, at least."""
    minutes: float = 8
    """After so many, no further row is measured."""


SMALL = Settings(
    networks="alexnet,convnet",
    images=2,
    size=64,
    narrow=8,
    matrix=512,
    steps=4,
    alone=2,
    together=16,
    seconds=0.02,
)


@dataclass(frozen=True)
class Case:
    """A network and its images.

    Attributes:
      network: the network.
      data: noise, labeled so that silencing a unit changes counts.
      layers: the layers that are ablated.
    """

    network: Classifier
    data: ju.data.Dataset
    layers: tuple[str, ...]

    def sweep(self, layer: str, batches: int = 1, **options: Any) -> xr.Dataset:
        """All units of a layer on all images, in so many batches."""
        images = len(self.data)
        return ju.ablation.sweep(
            self.network,
            layer,
            self.data,
            batch_size=-(-images // batches),
            images_per_piece=images,
            progress=False,
            **options,
        )


def default_settings() -> Settings:
    """Of the first device."""
    return SMALL if jax.devices()[0].platform == "cpu" else Settings()


@functools.cache
def case(name: str, settings: Settings) -> Case:
    """A network by name, with its images."""
    images = settings.images
    if name == "convnet":
        network, images = with_random_weights(convnet32, 0), 8 * images
    else:
        network = BUILDERS[name](size=settings.size, narrow=settings.narrow)
    return Case(*prepared(network, LAST[name], images), tuple(LAYERS[name]))


@functools.cache
def plain_seconds(name: str, settings: Settings, precision: str = "float32") -> float:
    """Of a network's plain pass over its images."""
    chosen = case(name, settings)
    run = plain_pass(chosen.network, chosen.data, precision)
    run()
    return clocked(run, settings.seconds)


@functools.cache
def rate(settings: Settings, precision: str) -> float:
    """Floating-point operations a second in products of large matrices."""
    return matrix_rate(settings.matrix, precision, settings.seconds)


def names_of(settings: Settings) -> list[str]:
    """The chosen networks."""
    return settings.networks.split(",")


def layers_of(settings: Settings) -> list[tuple[str, str]]:
    """Network and layer of all sweeps."""
    return [(name, layer) for name in names_of(settings) for layer in LAYERS[name]]


def first_layers(settings: Settings) -> dict[str, str]:
    """The layer of each network that the other tables look at."""
    return {name: next(iter(LAYERS[name])) for name in names_of(settings)}


def collected(chosen: Case, *, gradients: bool) -> xr.Dataset:
    """The attributes of a network's first layer, collected with those of all layers."""
    found = ju.attributes.collect(
        chosen.network, None, chosen.data, gradients=gradients, progress=False
    )
    return next(iter(found.values()))


def births(chosen: Case) -> xr.Dataset:
    """Birth points of the first layer that is ablated."""
    return ju.topology.layer_birth_points(
        chosen.network, chosen.layers[0], chosen.data, progress=False
    )


def timed(call: Callable[[], xr.Dataset], settings: Settings) -> tuple[float, float]:
    """Seconds of a call, and those that its result says of looking at images; medians."""
    pairs: list[tuple[float, float]] = []
    while sum(seconds for seconds, _ in pairs) < settings.seconds:
        started = time.perf_counter()
        run = float(call().attrs["run_seconds"])
        pairs.append((time.perf_counter() - started, run))
    whole, run = (statistics.median(each) for each in zip(*pairs, strict=True))
    return whole, run
