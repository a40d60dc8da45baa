"""The conv net of *Representative Substitution* on 20,000 images of CIFAR-10, trained in six ways.

Plain, with batch norm, with channel dropout, on half random labels, and with a class-selectivity
regularizer of either sign; three seeds each.

Run it with `python -m train cifar10_trained`, which reads TFDS's images. Images in PNG files with
an image a row (`data_batch_1.png`, `test_batch.png`; `train_labels.json`, `test_labels.json`) are
first written as a folder for each class: `python -m configs.cifar10_trained IMAGES FOLDER`, then
`python -m train cifar10_trained -- --data.source folder:FOLDER --data.fraction 1`. On two cores
`cifar10_trained_small` does the same in half an hour.
"""

from __future__ import annotations

from pathlib import Path

import tyro
from PIL import Image

import jaxunits as ju
from jaxunits.train import variants
from jaxunits.train.config import AdamW, Config, Data, Schedule
from jaxunits.train.networks import ConvNet
from jaxunits.train.study import Study, grid

from . import cifar10_resnets

base = Config(
    preprocessing=ju.data.CIFAR10,
    data=Data("tfds:cifar10", validation_split="test", fraction=0.4, in_memory=True),
    optimizer=AdamW(learning_rate=1e-3, weight_decay=0.0),
    schedule=Schedule("cosine", warmup_epochs=0.5),
    epochs=40,
)


def in_six_ways(base: Config, network: ConvNet) -> Study:
    """A network trained in each way with three seeds."""
    return Study(
        grid(
            base,
            {"convnet": network},
            {
                "plain": variants.plain,
                "batch_norm": variants.network(batch_norm=True),
                "channel_dropout": variants.network(channel_dropout={"conv4": 0.3}),
                "half_random_labels": variants.data(random_labels=0.5),
                "selective": variants.regularizers(class_selectivity=1.0),
                "unselective": variants.regularizers(class_selectivity=-1.0),
            },
        ),
        seeds=(0, 1, 2),
    )


study = in_six_ways(base, ConvNet())


def write_folders(images: Path, folder: Path) -> None:
    """Write images that lie in PNG files, one a row, as files in a folder for each class.

    Args:
      images: the folder of the PNG files and of the labels.
      folder: gets `train`, `test` and `test_fifth`, every fifth image of `test`, each with a folder
        for each class.
    """
    for split in ("train", "test"):
        data = cifar10_resnets.images(str(images), split)
        for number in range(len(data)):
            fifth = ["test_fifth"] if split == "test" and number % 5 == 0 else []
            for name in (split, *fifth):
                place = folder / name / data.class_names[data.labels[number]]
                place.mkdir(parents=True, exist_ok=True)
                Image.fromarray(data[number]["image"]).save(place / f"{number:05}.png")


if __name__ == "__main__":
    tyro.cli(write_folders, config=(tyro.conf.PositionalRequiredArgs,))
