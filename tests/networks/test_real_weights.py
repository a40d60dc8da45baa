"""Public weights give on real images the accuracy that they are known for."""

import csv
import json
import os
from pathlib import Path

import jax
import numpy as np
import pytest
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


def right(network, images, labels):
    """How many images are classified correctly."""
    classes = jax.jit(lambda params, images: network.with_params(params)(images).argmax(1))
    data = ju.data.load((images, labels), class_names=[str(k) for k in range(network.classes)])
    found = [
        (np.asarray(classes(network.params, batch.images)) == batch.labels)[batch.valid].sum()
        for batch in ju.data.batches(data, network.preprocessing, 100)
    ]
    return int(sum(found))


def test_resnet20_on_cifar10(monkeypatch):
    weights = needed("weights/cifar10_resnet20.safetensors")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with Image.open(needed("data/cifar10/test_batch.png")) as file:
        images = np.asarray(file).reshape(10_000, 32, 32, 3)
    labels = np.asarray(json.loads(needed("data/cifar10/test_labels.json").read_text()))
    colours = ju.data.IMAGENET
    preprocessing = ju.data.Preprocessing((32, 32), 3, mean=colours.mean, std=colours.std)
    network = ju.networks.cifar_resnet(20, preprocessing=preprocessing)
    network = ju.networks.load_weights(network, weights)
    assert right(network, images, labels) == 9173


def test_squeezenet_on_photographs():
    weights = needed("weights/squeezenet1_1_imagenet.safetensors")
    folder = needed("data/imagenet_photographs")
    with (folder / "images.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    images = np.stack([np.asarray(Image.open(folder / row["file"])) for row in rows])
    labels = np.asarray([int(row["imagenet_class"]) for row in rows])
    network = ju.networks.load_weights(ju.networks.squeezenet1_1(), weights)
    assert 0.4 < right(network, images, labels) / len(rows) < 0.65
