"""Shapley values against the same orders with hooks: `python -m tests.benchmarks.shapley`.

Of the last block of a ResNet-20 for 32×32 images, in float32, on all cores. PyTorch evaluates the
same masks with a forward hook, one whole pass for each; it is timed on some of them. Weights and
images are a user's own (`--weights`, `--images`): without them the network is untrained and the
images are noise, which tells seconds, but not how many orders a precision takes. Needs PyTorch and
a machine that does nothing else. A second table has the errors of the published sampler beside ours
at equal cost, see `neuron_shapley`; `--long-run 0` leaves it out.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro
import xarray as xr
from rich.console import Console
from rich.table import Table

import jaxunits as ju

from .clock import clocked
from .neuron_shapley import Comparison
from .torch_networks import features, torch_images, torch_twin

CLASSES = 10
_SAMPLERS = Comparison()


def main(
    weights: Path | None = None,
    images: Path | None = None,
    layer: str = "layer3.2",
    num_images: int = 512,
    rounds: int = 3,
    masks: int = 4,
    standard_error: float = 0.002,
    samplers: Annotated[Comparison, tyro.conf.arg(name="")] = _SAMPLERS,
) -> None:
    """Compare the two.

    Args:
      weights: a file of the network's weights, as `ju.networks.load_weights` reads it.
      images: an .npz file with `images` `[images, 32, 32, 3]`, uint8, and `labels`.
      layer: the layer.
      num_images: how many images.
      rounds: how often each side runs; medians are printed.
      masks: how many masks the loop of PyTorch is timed on.
      standard_error: a precision of each unit's overall value, share of images, for which the time
        is estimated.
      samplers: how many orders are measured, and how samplers are compared.
    """
    orders, batch_size = samplers.orders, samplers.batch_size
    torch.set_num_threads(os.cpu_count() or 1)
    console = Console()
    console.print(f"load average of the minute before: {os.getloadavg()[0]:.1f}")
    size = ju.data.Preprocessing((32, 32), 3, mean=ju.data.IMAGENET.mean, std=ju.data.IMAGENET.std)
    network = ju.networks.cifar_resnet(20, preprocessing=size)
    if weights is not None:
        network = ju.networks.load_weights(network, weights)
    data = _images(images, num_images)

    def values() -> xr.Dataset:
        return ju.ablation.shapley(
            network, layer, data, num_orders=orders, batch_size=batch_size, progress=False
        )

    loop = _hooks(network, layer, data, batch_size, masks)
    found = values()
    units = network.layers[layer].num_units
    evaluated = orders * (units + 1) + 1
    sides = [(clocked(values, 0), loop() / masks * evaluated) for _ in range(rounds)]
    seconds, hooks = (statistics.median(side) for side in zip(*sides, strict=True))
    error = float(found.shapley_error.max())
    needed = orders * (error / standard_error) ** 2
    table = Table(title=f"{orders} orders of the {units} units of {layer}, {len(data)} images")
    for column in ("", "ours", "hooks", "hooks ÷ ours"):
        table.add_column(column, justify="right" if column else "left")
    ratio = statistics.median(other / own for own, other in sides)
    table.add_row("seconds", f"{seconds:.1f}", f"{hooks:,.0f}", f"{ratio:.0f}")
    console.print(table)
    console.print(
        f"largest standard error of a unit's overall value: {error:.4f}; for {standard_error} "
        f"about {needed:,.0f} orders, {seconds * needed / orders:,.0f} s"
    )
    if samplers.long_run:
        console.print(samplers.table(network, layer, data))


def _images(path: Path | None, count: int) -> ju.data.Dataset:
    if path is None:
        random = np.random.default_rng(0)
        pixels = random.integers(0, 256, (count, 32, 32, 3), np.uint8)
        labels = np.arange(count) % CLASSES
    else:
        with np.load(path) as file:
            pixels, labels = file["images"][:count], file["labels"][:count]
    names = [str(number) for number in range(CLASSES)]
    return ju.data.load((pixels, labels.astype(np.int64)), class_names=names)


def _hooks(
    network: ju.networks.Classifier, layer: str, data: ju.data.Dataset, batch_size: int, masks: int
) -> Callable[[], float]:
    """Seconds of some masks of a random order, each with a hook on the layer."""
    twin = torch_twin(network)
    batches = [
        torch_images(batch.images[batch.valid])
        for batch in ju.data.batches(data, network.preprocessing, batch_size)
    ]
    units = network.layers[layer].num_units
    order = np.random.default_rng(0).permutation(units)

    @torch.inference_mode()
    def run() -> None:
        for step in np.linspace(1, units, masks).astype(int):
            gone = torch.from_numpy(order[:step].copy())

            def zero(module: torch.nn.Module, inputs: object, output: object) -> None:
                features(output)[:, gone] = 0  # noqa: B023

            hook = twin.stage(layer).register_forward_hook(zero)
            for images in batches:
                twin(images)
            hook.remove()

    return lambda: clocked(run, 0)


if __name__ == "__main__":
    ju.use_compilation_cache()
    tyro.cli(main)
