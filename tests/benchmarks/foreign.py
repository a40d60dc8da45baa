"""Users' networks against the library's own: `python -m tests.benchmarks.foreign`.

Every network is written as a plain NNX, Linen and PyTorch module, with the weights of ours. A sweep
of one batch is divided by the network's own plain pass; all sides run in turn, round after round,
in one process on the same images, in float32, on all cores. Compilation is not counted. PyTorch
modules need PyTorch to be read, and run in JAX.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import tyro
import xarray as xr
from rich.console import Console
from rich.table import Table

import jaxunits as ju
from jaxunits.ablation._execution import Execution
from jaxunits.ablation._program import compile_program
from jaxunits.ablation._question import question_of
from jaxunits.ablation._reference import Reference
from jaxunits.execution import pieces
from jaxunits.execution._devices import cast, products, working_dtype
from jaxunits.networks import Classifier

from ..outcomes import ROUNDING, SIDES
from .clock import clocked
from .networks import alexnet, convnet32, resnet18, vgg16, with_random_weights

NETWORKS: Mapping[str, Callable[[], Classifier]] = {
    "convnet": lambda: with_random_weights(convnet32, 0),
    "alexnet": alexnet,
    "resnet18": resnet18,
    "vgg16": vgg16,
}
# Layers, by the plain passes that a sweep may take.
LAYERS: Mapping[str, Mapping[str, float]] = {
    "convnet": {"conv4": 1.2, "conv3": 3.5},
    "alexnet": {"conv5": 6},
    "resnet18": {"layer4.1": 1.2},
    "vgg16": {"conv5_3": 1.6},
}
LAST = {"convnet": "logits", "alexnet": "fc8", "resnet18": "fc", "vgg16": "fc8"}


@dataclass(frozen=True)
class Settings:
    """What to measure."""

    networks: str = "convnet,alexnet,resnet18,vgg16"
    """Which networks, with commas between them."""
    kinds: str = "nnx,linen,torch"
    """Which kinds of modules beside the built-in one."""
    images: int = 32
    """Images of the batch."""
    rounds: int = 3
    """How often each side runs; medians are printed."""
    reference: float = 4
    """The reference path is timed too where it takes at most so many plain passes by its work."""


@dataclass(frozen=True)
class Side:
    """A network whose sweep is timed.

    Attributes:
      network: the network.
      layer: the layer, as it is called there.
      data: the images.
      plain: its plain pass.
    """

    network: Classifier
    layer: str
    data: ju.data.Dataset
    plain: Callable[[], object]

    def sweep(self, method: str = "auto") -> xr.Dataset:
        """All units of the layer on all images, in one batch."""
        size = len(self.data)
        return ju.ablation.sweep(
            self.network,
            self.layer,
            self.data,
            batch_size=size,
            images_per_piece=size,
            method=method,
        )


def main(settings: Settings) -> None:
    """Measure and print a table for each network as soon as it is measured."""
    for name in settings.networks.split(","):
        Console(width=130).print(table_of(name, settings))


def table_of(name: str, settings: Settings) -> Table:
    """The rows of a network under their titles."""
    table = Table(
        title=f"{name}: sweeps of one batch of {settings.images} images, medians of "
        f"{settings.rounds} rounds",
        caption=(
            "plain passes: seconds of the sweep over those of the network's own plain pass, "
            "measured in turn. ÷ built-in: plain passes over those of the built-in network; "
            "seconds likewise. differ: counts that near ties of logits do not account for. "
            "reference: plain passes on the reference path by multiply-adds, and measured."
        ),
        caption_justify="left",
    )
    for column in ("network, layer, units", "module", "method"):
        table.add_column(column)
    for column in ("plain, s", "plain passes", "÷ built-in", "s ÷ built-in", "differ", "reference"):
        table.add_column(column, justify="right")
    for row in rows(name, settings):
        table.add_row(*row)
    return table


def rows(name: str, settings: Settings) -> Iterator[list[str]]:
    """The rows of a network: each layer by each kind of module."""
    ours, data = prepared(NETWORKS[name](), LAST[name], settings.images)
    networks = {"built-in": ours}
    for kind in filter(None, settings.kinds.split(",")):
        networks[kind] = converted(kind, name, ours)
    plain = {kind: plain_pass(network, data) for kind, network in networks.items()}
    for layer, target in LAYERS[name].items():
        sides = {
            kind: Side(network, called(kind, layer), data, plain[kind])
            for kind, network in networks.items()
        }
        yield from layer_rows(f"{name} {layer}", target, sides, settings)


def layer_rows(
    title: str, target: float, sides: Mapping[str, Side], settings: Settings
) -> Iterator[list[str]]:
    """The rows of a layer."""
    results = {kind: side.sweep() for kind, side in sides.items()}
    for side in sides.values():
        side.plain()
    rounds = [
        {
            kind: (clocked(side.plain), float(side.sweep().attrs["run_seconds"]))
            for kind, side in sides.items()
        }
        for _ in range(settings.rounds)
    ]
    units = results["built-in"].sizes["unit"]
    allowed = near_ties(sides["built-in"])
    for kind, side in sides.items():
        passes = statistics.median(each[kind][1] / each[kind][0] for each in rounds)
        ratio, seconds = (
            statistics.median(of(each, kind) / of(each, "built-in") for each in rounds)
            for of in (
                lambda each, kind: each[kind][1] / each[kind][0],
                lambda each, kind: each[kind][1],
            )
        )
        differ = abs(results[kind].correct.values - results["built-in"].correct.values)
        yield [
            f"{title}, {units} (≤ {target:g})" if kind == "built-in" else "",
            kind,
            str(results[kind].attrs["method"]),
            f"{statistics.median(each[kind][0] for each in rounds):.3f}",
            f"{passes:.2f}",
            f"{ratio:.2f}",
            f"{seconds:.2f}",
            f"{(differ > allowed).sum()} ({(differ > 0).sum()} near)",
            reference(side, settings),
        ]


def reference(side: Side, settings: Settings) -> str:
    """Plain passes of the reference path, by its work, and by the clock where that is short."""
    work = Reference.work(question_of(side.network, side.layer, side.data, Execution()))
    counted = work.total / (work.prefix + work.each)
    if counted > settings.reference:
        return f"{counted:.1f}"
    side.sweep("reference")
    seconds = float(side.sweep("reference").attrs["run_seconds"])
    return f"{counted:.1f}, {seconds / clocked(side.plain):.1f}"


def near_ties(side: Side) -> np.ndarray:
    """How far each unit's count of each class may be off where logits tie, `[units, classes]`."""
    size = len(side.data)
    question = question_of(side.network, side.layer, side.data, Execution(batch_size=size))
    read = question.read()
    program = compile_program(question, read, margins=True)
    (piece,) = pieces(read, [(0, size)])
    batch = next(iter(ju.data.batches(side.data, side.network.preprocessing, size)))
    margin = np.asarray(program.run(piece.inputs).margin)[program.laid_out.position][1:]
    logits = np.asarray(side.network(batch.images))
    ties = margin <= SIDES * ROUNDING * abs(logits).max()
    return np.stack(
        [np.bincount(batch.labels[row], minlength=side.network.classes) for row in ties]
    )


def prepared(network: Classifier, last: str, images: int) -> tuple[Classifier, ju.data.Dataset]:
    """The network, and noise on which silencing a unit changes predictions.

    Each class gets the same mean logit, and the images are labeled with their best class.

    Args:
      network: the network.
      last: the layer of its logits.
      images: how many.
    """
    size, channels = network.preprocessing.size, network.preprocessing.channels
    noise = np.random.default_rng(0).integers(0, 256, (images, *size, channels), np.uint8)
    names = [str(number) for number in range(network.classes)]
    blank = ju.data.load((noise, np.zeros(images, np.int64)), class_names=names)
    batch = next(iter(ju.data.batches(blank, network.preprocessing, images)))
    logits = np.asarray(network(batch.images))
    bias = f"{last}.bias"
    changed = {bias: jnp.asarray(ju.networks.arrays(network)[bias] - logits.mean(0))}
    labels = (logits - logits.mean(0)).argmax(1)
    network = ju.networks.with_arrays(network, changed)
    return network, ju.data.load((noise, labels), class_names=names)


def converted(kind: str, name: str, ours: Classifier) -> Classifier:
    """The network as a user's module of a kind."""
    if kind == "torch":
        from .foreign_torch import from_torch

        return from_torch(name, ours)
    from .foreign_flax import from_linen, from_nnx

    return {"nnx": from_nnx, "linen": from_linen}[kind](name, ours)


def called(kind: str, layer: str) -> str:
    """What a layer of ours is called in a module."""
    return layer.replace(".", "_") if kind == "linen" else layer


def plain_pass(
    network: Classifier, data: ju.data.Dataset, precision: str = "float32"
) -> Callable[[], object]:
    """The network's predictions of all images, in one batch, in a precision of a sweep."""
    batch = next(iter(ju.data.batches(data, network.preprocessing, len(data))))
    dtype = working_dtype(precision)
    given = cast((network.params, jnp.asarray(batch.images)), dtype)
    run = jax.jit(lambda params, images: network.function(params, images).argmax(1))
    with products(precision):
        compiled = run.lower(*given).compile()
    return lambda: jax.block_until_ready(compiled(*given))


if __name__ == "__main__":
    ju.use_compilation_cache()
    main(tyro.cli(Settings))
