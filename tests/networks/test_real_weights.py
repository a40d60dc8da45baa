"""Public weights give on real images the accuracy that they are known for."""

import csv
import functools
import json
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from PIL import Image

import jaxunits as ju

FOLDER = Path(os.environ.get("JAXUNITS_TEST_DATA", ""))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        "JAXUNITS_TEST_DATA" not in os.environ,
        reason="set JAXUNITS_TEST_DATA to a folder with weights/ and data/",
    ),
]


def needed(name):
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"{path} does not exist")
    return path


def classified(network, images):
    """The class that each image is taken for."""
    classes = jax.jit(lambda params, images: network.with_params(params)(images).argmax(1))
    names = [str(number) for number in range(network.classes)]
    data = ju.data.load((images, np.zeros(len(images), np.int64)), class_names=names)
    found = [
        np.asarray(classes(network.params, batch.images))[batch.valid]
        for batch in ju.data.batches(data, network.preprocessing, 100)
    ]
    return np.concatenate(found)


@pytest.fixture(scope="module")
def cifar10():
    """The test images and their labels."""
    largest, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    with Image.open(needed("data/cifar10/test_batch.png")) as file:
        images = np.asarray(file).reshape(10_000, 32, 32, 3)
    labels = np.asarray(json.loads(needed("data/cifar10/test_labels.json").read_text()))
    Image.MAX_IMAGE_PIXELS = largest
    return images, labels


PREPROCESSING = ju.data.Preprocessing(
    (32, 32), 3, mean=ju.data.IMAGENET.mean, std=ju.data.IMAGENET.std
)


class Block(nnx.Module):
    """A residual block of somebody's own, with the names that the file has."""

    def __init__(self, inputs, outputs, rngs):
        self.strides = 1 if inputs == outputs else 2
        conv = functools.partial(nnx.Conv, padding=1, use_bias=False, rngs=rngs)
        self.conv1 = conv(inputs, outputs, (3, 3), self.strides)
        self.bn1 = nnx.BatchNorm(outputs, rngs=rngs)
        self.conv2 = conv(outputs, outputs, (3, 3))
        self.bn2 = nnx.BatchNorm(outputs, rngs=rngs)

    def __call__(self, x):
        inside = self.bn2(self.conv2(nnx.relu(self.bn1(self.conv1(x)))))
        more = (inside.shape[-1] - x.shape[-1]) // 2
        x = x[:, :: self.strides, :: self.strides]
        return nnx.relu(inside + jnp.pad(x, ((0, 0), (0, 0), (0, 0), (more, more))))


class ResNet(nnx.Module):
    """He et al. 2016, section 4.2, as its users write it."""

    def __init__(self, depth, rngs):
        self.conv1 = nnx.Conv(3, 16, (3, 3), padding=1, use_bias=False, rngs=rngs)
        self.bn1 = nnx.BatchNorm(16, rngs=rngs)
        inputs = 16
        for group, outputs in enumerate((16, 32, 64), start=1):
            blocks = nnx.List()
            for _ in range((depth - 2) // 6):
                blocks.append(Block(inputs, outputs, rngs))
                inputs = outputs
            setattr(self, f"layer{group}", blocks)
        self.linear = nnx.Linear(64, 10, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.bn1(self.conv1(x)))
        for block in [*self.layer1, *self.layer2, *self.layer3]:
            x = block(x)
        return self.linear(x.mean((1, 2)))


def built_in(depth, weights):
    network = ju.networks.cifar_resnet(depth, preprocessing=PREPROCESSING)
    return ju.networks.load_weights(network, weights)


def of_nnx(depth, weights):
    module = ResNet(depth, nnx.Rngs(0))
    network = ju.networks.from_nnx(module, preprocessing=PREPROCESSING)
    return ju.networks.load_weights(network, weights)


def of_torch(depth, weights):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    import safetensors.torch

    from tests.networks.torch_zoo import CifarResNet

    module = CifarResNet((depth - 2) // 6, (16, 32, 64), "A", 10)
    module.load_state_dict(safetensors.torch.load_file(weights))
    return ju.networks.from_torch(module.eval(), preprocessing=PREPROCESSING)


@pytest.mark.parametrize(("depth", "right"), [(20, 9173), (32, 9263), (44, 9310)])
@pytest.mark.parametrize("kind", ["built-in", "nnx", "torch"])
def test_resnets_on_cifar10(depth, right, kind, cifar10):
    if (depth, kind) != (20, "built-in") and "JAXUNITS_TEST_ALL" not in os.environ:
        pytest.skip("set JAXUNITS_TEST_ALL=1: half a minute to two for each of the others")
    weights = needed(f"weights/cifar10_resnet{depth}.safetensors")
    network = {"built-in": built_in, "nnx": of_nnx, "torch": of_torch}[kind](depth, weights)
    images, labels = cifar10
    assert int((classified(network, images) == labels).sum()) == right


def test_squeezenet_on_photographs():
    weights = needed("weights/squeezenet1_1_imagenet.safetensors")
    folder = needed("data/imagenet_photographs")
    with (folder / "images.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    images = np.stack([np.asarray(Image.open(folder / row["file"])) for row in rows])
    labels = np.asarray([int(row["imagenet_class"]) for row in rows])
    network = ju.networks.load_weights(ju.networks.squeezenet1_1(), weights)
    assert 0.4 < (classified(network, images) == labels).mean() < 0.65
