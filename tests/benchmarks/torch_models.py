"""Classifiers of timm or torchvision as networks: `python -m tests.benchmarks.torch_models NAMES`.

For each architecture, with random weights: its layers, seconds of `ju.networks.from_torch`, and the
largest difference of its logits from the module's, as a share of the largest logit. What has no
translation is named. Needs PyTorch and the library.
"""

from __future__ import annotations

import importlib
import time
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.table import Table

import jaxunits as ju

CLASSES, IMAGES = 10, 2


@dataclass(frozen=True)
class Settings:
    """Which architectures."""

    names: Annotated[tuple[str, ...], tyro.conf.Positional]
    """As the library names them, such as `volo_d1_224`."""
    library: Literal["timm", "torchvision"] = "timm"
    size: int = 224
    """Height and width of the images; some architectures take only one."""


def main(settings: Settings) -> None:
    """Translate each and print a table."""
    table = Table(title=f"{settings.library}, {settings.size}×{settings.size}")
    for column in ("architecture", "layers", "seconds", "difference"):
        table.add_column(column, justify="left" if column == "architecture" else "right")
    for name in settings.names:
        table.add_row(name, *row(module(settings.library, name), settings.size))
    Console().print(table)


def module(library: str, name: str) -> torch.nn.Module:
    """An architecture in evaluation, as if its batch norms and its last layer were trained."""
    torch.manual_seed(0)
    found: torch.nn.Module = create(library, name).eval()
    with torch.no_grad():
        for part in found.modules():
            if isinstance(getattr(part, "running_mean", None), torch.Tensor):
                part.running_mean.uniform_(-0.2, 0.2)
                part.running_var.uniform_(0.5, 2)
            # Some libraries begin with logits of zero.
            if isinstance(part, torch.nn.Linear) and not part.weight.any():
                part.weight.normal_(0, 0.02)
    return found


def create(library: str, name: str) -> Any:
    """What the library builds."""
    found = importlib.import_module(library)
    if library == "timm":
        return found.create_model(name, num_classes=CLASSES)
    return found.models.get_model(name, weights=None, num_classes=CLASSES)


def row(torch_module: torch.nn.Module, size: int) -> list[str]:
    """A module's line."""
    preprocessing = ju.data.Preprocessing((size, size), 3, mean=(0.0,) * 3, std=(1.0,) * 3)
    began = time.perf_counter()
    try:
        network = ju.networks.from_torch(torch_module, preprocessing=preprocessing)
    except ju.InputError as error:
        return ["", "", str(error)]
    seconds = time.perf_counter() - began
    images = np.random.default_rng(0).random((IMAGES, size, size, 3), np.float32)
    with torch.no_grad():
        logits = torch_module(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()
    difference = np.abs(np.asarray(network(images)) - logits).max() / np.abs(logits).max()
    return [str(len(network.layers)), f"{seconds:.1f}", f"{difference:.0e}"]


if __name__ == "__main__":
    main(tyro.cli(Settings))
