"""The reference sweep against one pass a unit: `python -m tests.benchmarks.reference_sweep`.

Both sides run in turn on the same images, network and machine; the table shows medians of the
rounds and their ratio. Compilation is not counted on either side.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import jax
import numpy as np
import tyro
from flax import nnx
from rich.console import Console
from rich.table import Table

import jaxunits as ju


def seconds(function: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def one_pass_a_unit(
    network: ju.networks.Network, layer: str, data: ju.data.Dataset, batch_size: int
) -> Callable[[], np.ndarray]:
    """The usual way: for every unit a whole pass over all images, the unit masked."""
    graph, params = nnx.split(network)

    @jax.jit
    def predict(params, images, mask):
        return nnx.merge(graph, params)(images, {layer: mask}).argmax(1)

    masks = jax.numpy.asarray(ju.ablation.single_units(network.layers[layer].units))
    batches = list(ju.data.batches(data, network.preprocessing, batch_size))
    predict(params, batches[0].images, masks[0]).block_until_ready()

    def loop() -> np.ndarray:
        correct = np.zeros((len(masks), network.classes), np.int64)
        for unit, mask in enumerate(masks):
            for batch in batches:
                prediction = np.asarray(predict(params, batch.images, mask))
                right = (prediction == batch.labels) & batch.valid
                np.add.at(correct[unit], batch.labels[right], 1)
        return correct

    return loop


def main(images: int = 512, batch_size: int = 128, rounds: int = 3) -> None:
    """Compare them on every layer of the conv net at full width.

    Args:
      images: how many digits.
      batch_size: images a batch, on both sides.
      rounds: how often each side runs.
    """
    data = ju.data.load("digits", f"validation[:{images}]")
    network = ju.networks.convnet(
        10,
        pool_after=("conv1", "conv3"),
        preprocessing=ju.data.Preprocessing((28, 28), 1, (0.13,), (0.31,)),
    )
    table = Table(title=f"conv net 64-64-128-128, {images} digits, medians of {rounds}")
    for column in ("layer", "units", "one pass a unit, s", "sweep, s", "ratio"):
        table.add_column(column, justify="right")
    for layer, place in network.layers.items():
        loop = one_pass_a_unit(network, layer, data, batch_size)
        sweep = ju.ablation.sweep(network, layer, data, batch_size=batch_size)
        np.testing.assert_array_equal(sweep.correct, loop())
        slow, fast = [], []
        for _ in range(rounds):
            slow.append(seconds(loop))
            result = ju.ablation.sweep(network, layer, data, batch_size=batch_size)
            fast.append(result.attrs["run_seconds"])
        ratio = statistics.median(a / b for a, b in zip(slow, fast, strict=True))
        table.add_row(
            layer,
            str(place.units),
            f"{statistics.median(slow):.2f}",
            f"{statistics.median(fast):.2f}",
            f"{ratio:.1f}",
        )
    Console().print(table)


if __name__ == "__main__":
    tyro.cli(main)
