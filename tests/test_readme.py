"""Python blocks of README and of docs/ run as they stand, page by page, after README's demo.

A comment `<!-- needs: NAME -->` before a block names what a reader would have: it is made here.
"""

import contextlib
import csv
import functools
import re
import shutil
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

ROOT = Path(__file__).parents[1]
# Those with a Python block.
PAGES = [
    str(path.relative_to(ROOT))
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if "```python" in path.read_text()
]
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


def own(names, patch):
    """A network of one's own, and photographs in folders."""
    names["module"] = Module()
    photographs(Path("photographs/val"), "abcdefghij", 300)


def photographs(folder, classes, side):
    """Two of each of some classes."""
    random = np.random.default_rng(0)
    for name in classes:
        (folder / name).mkdir(parents=True)
        for number in range(2):
            pixels = random.integers(0, 256, (side, side, 3), np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")


def cifar10(names, patch):
    """Weights of a thin ResNet-20 and images of ten classes."""
    patch.setattr(
        ju.networks, "cifar_resnet", functools.partial(ju.networks.cifar_resnet, width=1 / 16)
    )
    network = ju.networks.cifar_resnet(20, preprocessing=ju.data.CIFAR10)
    ju.networks.save_weights(network, "cifar10_resnet20.safetensors")
    photographs(Path("cifar10/test"), "abcdefghij", 32)


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
    ordered = sorted(arrays, key=lambda name: (name[0] == "c", int(name.split(".")[1])))
    layers = keras_layers({name: arrays[name] for name in ordered})
    write_h5(Path("vgg16_weights_tf_dim_ordering_tf_kernels.h5"), layers)


def torch(names, patch):
    """PyTorch, which is installed for some tests alone."""


NEEDS = {made.__name__: made for made in (scenes, own, weights, cifar10, torch)}


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """What README's demo trains, in fewer epochs."""
    folder = tmp_path_factory.mktemp("demo")
    assert train(["digits_convnet", "--run-folder", str(folder), "--epochs", "2"]) == 0
    return folder


def test_pages_have_blocks_and_ask_for_what_is_made_here():
    asked = {block["needs"] for page in PAGES for block in BLOCK.finditer(_text(page))}
    assert len(PAGES) > 10
    assert asked == {None, *NEEDS}


@pytest.mark.parametrize("page", PAGES)
def test_blocks_run_in_order(page, demo, tmp_path, monkeypatch):
    _run(page, demo, tmp_path, monkeypatch, without=("torch",))


def test_blocks_with_pytorch_run(demo, tmp_path, monkeypatch):
    pytest.importorskip("torch", reason="PyTorch is not installed: make test-torch does")
    _run("docs/howto/own-network.md", demo, tmp_path, monkeypatch, without=())


def _run(page, demo, folder, patch, *, without):
    shutil.copytree(demo, folder / "runs" / "demo")
    names = {"__name__": "page"}
    with contextlib.chdir(folder):
        for block in BLOCK.finditer(_text(page)):
            if block["needs"] in without:
                continue
            if block["needs"]:
                NEEDS[block["needs"]](names, patch)
            line = _text(page)[: block.start("code")].count("\n") + 1
            source = "\n" * (line - 1) + block["code"]
            exec(compile(source, str(ROOT / page), "exec"), names)  # noqa: S102


def _text(page):
    return (ROOT / page).read_text()
