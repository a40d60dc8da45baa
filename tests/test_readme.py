"""README's Python blocks run as they stand, in order, after its demo.

A comment `<!-- needs: NAME -->` before a block names what a reader would have: it is made here.
"""

import contextlib
import csv
import functools
import re
from pathlib import Path

import numpy as np
import pytest
from flax import nnx
from PIL import Image
from safetensors.numpy import load_file

import jaxunits as ju
from jaxunits.train.command import main as train
from tests.networks.keras_files import keras_layers, write_h5

pytestmark = pytest.mark.slow

README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(r"(?:<!-- needs: (?P<needs>\w+) -->\n)?```python\n(?P<code>.*?)```", re.DOTALL)


def scenes(names, patch):
    """Six gray images with masks of two concepts."""
    random = np.random.default_rng(0)
    for folder in ("images", "masks"):
        Path("scenes", folder).mkdir(parents=True)
    for number in range(6):
        pixels = random.integers(0, 256, (28, 28), np.uint8)
        Image.fromarray(pixels).save(f"scenes/images/{number}.png")
        Image.fromarray((pixels > 200).astype(np.uint8) + 1).save(f"scenes/masks/{number}.png")
    with Path("scenes/concepts.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("index", "concept"), (1, "dark"), (2, "light")])


class Module(nnx.Module):
    """A reader's own network of images of 224×224."""

    def __init__(self):
        self.conv = nnx.Conv(3, 4, (7, 7), strides=(4, 4), rngs=nnx.Rngs(0))
        self.head = nnx.Linear(4, 10, rngs=nnx.Rngs(0))

    def __call__(self, images):
        return self.head(nnx.relu(self.conv(images)).mean((1, 2)))


def module(names, patch):
    names["module"] = Module()


def weights(names, patch):
    """Files of networks of a sixteenth of their width, which the constructors then have too."""
    for name in ("alexnet", "vgg16"):
        patch.setattr(
            ju.networks, name, functools.partial(getattr(ju.networks, name), width=1 / 16)
        )
    network = ju.networks.alexnet(365, preprocessing=ju.data.IMAGENET)
    ju.networks.save_weights(network, "alexnet_places365.safetensors")
    # The format is told by the content, whatever the name.
    Path("alexnet_places365.safetensors").rename("alexnet_places365.pth.tar")
    network = ju.networks.vgg16(preprocessing=ju.data.KERAS_VGG16)
    ju.networks.save_weights(network, "vgg16.safetensors")
    arrays = load_file("vgg16.safetensors")
    names = sorted(arrays, key=lambda name: (name[0] == "c", int(name.split(".")[1])))
    layers = keras_layers({name: arrays[name] for name in names})
    write_h5(Path("vgg16_weights_tf_dim_ordering_tf_kernels.h5"), layers)


NEEDS = {made.__name__: made for made in (scenes, module, weights)}


def test_blocks_run_in_order(tmp_path, monkeypatch):
    blocks = list(BLOCK.finditer(README.read_text()))
    assert len(blocks) > 10
    assert {block["needs"] for block in blocks} == {None, *NEEDS}
    with contextlib.chdir(tmp_path):
        assert train(["digits_convnet", "--run-folder", "runs/demo", "--epochs", "2"]) == 0
        names = {"__name__": "readme"}
        for block in blocks:
            if block["needs"]:
                NEEDS[block["needs"]](names, monkeypatch)
            line = README.read_text()[: block.start("code")].count("\n") + 1
            source = "\n" * (line - 1) + block["code"]
            exec(compile(source, str(README), "exec"), names)  # noqa: S102
