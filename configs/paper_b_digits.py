"""Zhao and Zhang 2021 on the embedded digits: four networks that generalize differently, two seeds.

Run it with `make paper-b`, or `python -m train paper_b_digits` and
`python -m analysis runs/paper_b_digits paper_b --layers conv2`, whose maps are 14×14.
All of it takes six minutes on 2 cores. Validation accuracies: plain 96.9, few images 91.2, a fifth
of random labels 87.6, half of them 63.9 %.
"""

import dataclasses

import jaxunits as ju
from jaxunits.train import variants
from jaxunits.train.config import AdamW, Checkpoints, Config, Data, Schedule
from jaxunits.train.networks import ConvNet
from jaxunits.train.study import Study, grid
from jaxunits.train.variants import Change

base = Config(
    preprocessing=ju.data.Preprocessing(size=(28, 28), channels=1, mean=(0.13,), std=(0.31,)),
    data=Data(in_memory=True),
    optimizer=AdamW(learning_rate=2e-3, weight_decay=0.0),
    schedule=Schedule("cosine", warmup_epochs=0.5),
    checkpoints=Checkpoints(keep="all"),
    epochs=10,
)


def few(images: float, random_labels: float) -> Change:
    """A quarter of the images or fewer, some of them labeled at random, until they are learned."""

    def change(config: Config) -> Config:
        data = dataclasses.replace(config.data, fraction=images, random_labels=random_labels)
        checkpoints = dataclasses.replace(config.checkpoints, every=4)
        return dataclasses.replace(config, data=data, checkpoints=checkpoints, epochs=40)

    return change


study = Study(
    grid(
        base,
        {"convnet": ConvNet(widths=(8, 48, 32), pool_after=("conv1", "conv2"))},
        {
            "plain": variants.plain,
            "few_images": few(0.1, 0.0),
            "fifth_random_labels": few(0.25, 0.2),
            "half_random_labels": few(0.25, 0.5),
        },
    ),
    seeds=(0, 1),
)
