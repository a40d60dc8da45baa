"""Damaged weights files of every format: they load or are refused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

import jaxunits as ju
from tests.benchmarks.networks import with_random_weights
from tests.fuzz.cases import Target
from tests.fuzz.mutations import mutated
from tests.networks.checkpoints import state_dict, write_legacy, write_zip
from tests.networks.keras_files import write_h5, write_weights_h5


@dataclass(frozen=True)
class Format:
    """A format of weights files.

    Attributes:
      network: takes the file's weights.
      content: a file without damage.
    """

    network: ju.networks.Classifier
    content: bytes


def targets(folder: Path) -> list[Target]:
    """One for each format."""
    found = formats(folder)
    contents = [form.content for form in found.values()]

    def target(name: str, form: Format) -> Target:
        def attempt(random: np.random.Generator, place: Path) -> None:
            path = place / "weights"
            other = contents[random.integers(len(contents))]
            path.write_bytes(mutated(form.content, other, random))
            load(form, path)

        return Target(name, attempt)

    return [target(name, form) for name, form in found.items()]


def formats(folder: Path) -> dict[str, Format]:
    """A small file of each format, with the network that it belongs to."""
    size = ju.data.Preprocessing((4, 4), 1)

    def build() -> ju.networks.Classifier:
        return ju.networks.mlp(2, widths=(3,), preprocessing=size)

    path = folder / "whole"
    mlp = with_random_weights(build, seed=0)
    own = ju.networks.arrays(mlp)
    arrays = {
        f"{layer}.{kind}": np.asarray(array, np.float32)
        for layer in ("fc1", "logits")
        for kind, array in (
            ("weight", own[f"{layer}.kernel"].T),
            ("bias", own[f"{layer}.bias"]),
        )
    }
    ju.networks.save_weights(mlp, path)
    found = {"safetensors": Format(mlp, path.read_bytes())}
    for name, write in {"PyTorch zip": write_zip, "PyTorch legacy": write_legacy}.items():
        found[name] = Format(mlp, write(path, *state_dict(arrays)).read_bytes())
    vgg16 = with_random_weights(lambda: ju.networks.vgg16(3, width=1 / 64), seed=0)
    layers = {
        "block1_conv1": [np.ones((3, 3, 3, 1), "f4"), np.ones(1, "f4")],
        "block1_conv2": [np.ones((3, 3, 1, 1), "f4"), np.ones(1, "f4")],
    }
    found["Keras 2"] = Format(vgg16, write_h5(path, layers).read_bytes())
    found["Keras 3"] = Format(vgg16, write_weights_h5(path, layers).read_bytes())
    path.unlink()
    return found


def load(form: Format, path: Path) -> ju.networks.Classifier:
    """Load a file as its format's network needs it."""
    return ju.networks.load_weights(form.network, path, partial=True)
