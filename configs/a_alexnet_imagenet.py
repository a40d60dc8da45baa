"""AlexNet on ImageNet, plain, with batch norm, with channel dropout at conv5 (Zhou et al. 2018).

Run it with `python -m train a_alexnet_imagenet`; five seeds each. `a_alexnet_digits` is the same
for 2 cores. Not trained with this program yet.
Torchvision's AlexNet, trained alike, has 56.5 % on the validation images.
"""

import jaxunits as ju
from jaxunits.train import variants
from jaxunits.train.config import SGD, Config, Data, Schedule
from jaxunits.train.networks import AlexNet
from jaxunits.train.study import Study, grid

base = Config(
    preprocessing=ju.data.IMAGENET,
    data=Data("tfds:imagenet2012", threads=16),
    augmentation=ju.data.Augmentation("resized"),
    optimizer=SGD(learning_rate=0.01, weight_decay=1e-4),
    schedule=Schedule("cosine", warmup_epochs=1.0),
    epochs=90,
    batch_size=256,
    precision="bfloat16",
)
study = Study(
    grid(
        base,
        {"alexnet": AlexNet(dropout=0.5)},
        {
            "plain": variants.plain,
            "batch_norm": variants.network(batch_norm=True),
            "channel_dropout": variants.network(channel_dropout={"conv5": 0.5}),
        },
    )
)
