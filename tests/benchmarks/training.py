"""Steps of training against PyTorch's: `python -m tests.benchmarks.training`.

The training program's steps of AdamW on images that are in memory already, in float32, on all
cores; PyTorch's are of the same network from the same weights, its maps contiguous and with
channels last. All sides run in turn, round after round, in one process. Compilation is not counted.
Needs PyTorch and a machine that does nothing else.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch
import tyro
from rich.console import Console

import jaxunits as ju
from jaxunits.data import CIFAR10, Batch, Preprocessing
from jaxunits.networks import Classifier
from jaxunits.train.regularizers import Regularizers
from jaxunits.train.step import build_step, initial_state
from jaxunits.train.together import batched, stack

from .clock import clocked
from .rates import matrix_rate, operations
from .sections import Rows, Section, measured
from .torch_networks import torch_images, torch_twin

CLASSES = 10
RATE = 1e-3
DIGITS = Preprocessing(size=(28, 28), channels=1)
WAYS = ("one by one", "threads", "vmap")
FORMATS = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last}


@dataclass(frozen=True)
class Case:
    """A network, and how many images a step of it takes."""

    build: Callable[..., Classifier]
    preprocessing: Preprocessing = CIFAR10
    batch_size: int = 128
    options: Mapping[str, Any] | None = None

    def network(self, narrow: int) -> Classifier:
        """The network; every width is divided by `narrow`."""
        options = dict(self.options or {})
        if "widths" in options:
            options["widths"] = [width // narrow for width in options["widths"]]
        else:
            options["width"] = 1 / narrow
        return self.build(classes=CLASSES, preprocessing=self.preprocessing, **options)


WIDE = {"widths": (64, 64, 128, 128)}
CASES = {
    "conv net, 28²": Case(ju.networks.convnet, DIGITS, options=WIDE),
    "conv net, 32²": Case(ju.networks.convnet, options=WIDE),
    "ResNet-20, 32²": Case(ju.networks.cifar_resnet),
    "VGG16 with batch norm, 32²": Case(ju.networks.vgg16_bn, options={"head": "cifar"}),
    "AlexNet, 224²": Case(ju.networks.alexnet, Preprocessing((224, 224), 3), 32),
}
TOGETHER = {
    "MLP 32-64-64, 28²": Case(ju.networks.mlp, DIGITS, options={"widths": (32, 64, 64)}),
    "conv net, 28²": CASES["conv net, 28²"],
}


@dataclass(frozen=True)
class Settings:
    """What to measure."""

    rounds: int = 5
    """How often each side is measured, in turn; medians are printed."""
    seconds: float = 1.0
    """Every number is of as many steps as take so long; at least one."""
    seeds: int = 2
    """How many runs are trained side by side."""
    only: tuple[str, ...] = ()
    """Some of the networks; all by default."""
    narrow: int = 1
    """Every width is divided by it."""
    batch: int | None = None
    """Images per step; by default 128, and 32 of 224×224."""
    matrix: int = 2048
    """The side of the matrices whose product is the measure of the machine."""


def main(settings: Settings) -> None:
    """Measure and print both tables.

    Raises:
      ExceptionGroup: rows failed.
    """
    torch.set_num_threads(os.cpu_count() or 1)
    console = Console(width=140)
    console.print(f"load average of the minute before: {os.getloadavg()[0]:.1f}")
    errors: list[Exception] = []
    for section in sections(settings):
        table, failed = measured(section, lambda: False)
        console.print(table)
        errors += failed
    if errors:
        raise ExceptionGroup("some rows failed", errors)


def sections(settings: Settings) -> list[Section]:
    """The tables."""
    how = f"Medians of {settings.rounds} rounds; ratios are medians of the rounds' ratios"
    return [
        Section(
            "Training steps",
            (
                "network",
                "ours, ms",
                *(f"PyTorch {each}, ms" for each in FORMATS),
                "better PyTorch ÷ ours",
                "GFLOP/s",
                "of a product's",
            ),
            f"{how}. Operations are counted as three times the forward pass's; beside them their "
            "rate as a share of the rate of a product of large matrices.",
            _chosen(CASES, settings, alone),
        ),
        Section(
            f"{settings.seeds} seeds, a step of each",
            ("network", *(f"{how}, ms" for how in (*WAYS, "PyTorch")), "PyTorch ÷ our best"),
            f"{how}. PyTorch trains one by one, its maps contiguous.",
            _chosen(TOGETHER, settings, side_by_side),
        ),
    ]


def _chosen(
    cases: Mapping[str, Case], settings: Settings, rows: Callable[[Case, Settings], Rows]
) -> Mapping[str, Callable[[], Rows]]:
    return {
        name: lambda case=case: rows(case, settings)  # type: ignore[misc]
        for name, case in cases.items()
        if not settings.only or name in settings.only
    }


def alone(case: Case, settings: Settings) -> Rows:
    """A row of the table of steps."""
    network, batch = case.network(settings.narrow), _batch(case, settings)
    sides = {"ours": our_step(network, [batch], "one by one")}
    sides |= {name: torch_step(network, batch, order) for name, order in FORMATS.items()}
    rounds = in_turn(sides, settings)
    ratio = statistics.median(min(each[name] for name in FORMATS) / each["ours"] for each in rounds)
    rate = 3 * operations(network) * len(batch.images) / _medians(rounds)["ours"]
    share = rate / matrix_rate(settings.matrix, "float32", settings.seconds)
    cells = [f"{1e3 * seconds:.3g}" for seconds in _medians(rounds).values()]
    return [[*cells, f"{ratio:.2f}", f"{rate / 1e9:.3g}", f"{share:.0%}"]]


def side_by_side(case: Case, settings: Settings) -> Rows:
    """A row of the table of seeds."""
    network = case.network(settings.narrow)
    batches = [_batch(case, settings, seed) for seed in range(settings.seeds)]
    sides = {how: our_step(network, batches, how) for how in WAYS}
    steps = [torch_step(network, batch, torch.contiguous_format) for batch in batches]
    sides["PyTorch"] = lambda: [step() for step in steps]
    rounds = in_turn(sides, settings)
    ratio = statistics.median(each["PyTorch"] / min(each[how] for how in WAYS) for each in rounds)
    return [[*(f"{1e3 * each:.3g}" for each in _medians(rounds).values()), f"{ratio:.2f}"]]


def our_step(network: Classifier, batches: Sequence[Batch], how: str) -> Callable[[], object]:
    """A step of one run for each batch; what it changes is kept for the next."""
    optimizer, runs = optax.adamw(RATE), len(batches)
    step = build_step(network, optimizer, "float32", Regularizers())
    states = [jax.tree.map(jnp.copy, initial_state(network, optimizer)) for _ in range(runs)]
    keys = [jax.random.key_data(jax.random.key(run)) for run in range(runs)]
    if how == "vmap":
        step = batched(step, runs, (False, False, False, True))
        states, batches, keys = [stack(states)], [stack(batches)], [stack(keys)]
    compiled, held = jax.jit(step, donate_argnums=0), list(states)
    pool = ThreadPoolExecutor(len(held))

    def one(lane: int) -> None:
        held[lane], _ = compiled(held[lane], batches[lane], keys[lane], np.int32(0))
        jax.block_until_ready(held[lane])

    def every() -> None:
        for _ in (
            pool.map(one, range(len(held))) if how == "threads" else map(one, range(len(held)))
        ):
            pass

    return every


def torch_step(
    network: Classifier, batch: Batch, order: torch.memory_format
) -> Callable[[], object]:
    """A step of PyTorch."""
    twin = torch_twin(network).train().requires_grad_(True).to(memory_format=order)
    optimizer = torch.optim.AdamW(twin.parameters(), RATE, fused=True)
    images = torch_images(batch.images).contiguous(memory_format=order)
    labels = torch.from_numpy(batch.labels.astype(np.int64))

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(twin(images), labels).backward()
        optimizer.step()

    return step


def in_turn(
    sides: Mapping[str, Callable[[], object]], settings: Settings
) -> list[dict[str, float]]:
    """Seconds of every side, by round; the first calls, which compile, are left out."""
    for side in sides.values():
        side()
    return [
        {name: clocked(side, settings.seconds) for name, side in sides.items()}
        for _ in range(settings.rounds)
    ]


def _medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}


def _batch(case: Case, settings: Settings, seed: int = 0) -> Batch:
    random = np.random.default_rng(seed)
    images = settings.batch or case.batch_size
    shape = (images, *case.preprocessing.size, case.preprocessing.channels)
    return Batch(
        random.standard_normal(shape, np.float32),
        random.integers(0, CLASSES, images).astype(np.int32),
        np.ones(images, bool),
    )


if __name__ == "__main__":
    ju.use_compilation_cache()
    main(tyro.cli(Settings))
