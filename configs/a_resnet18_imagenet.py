"""ResNet18 on ImageNet, plain and with channel dropout behind its last block (Zhou et al. 2018).

Run it with `python -m train a_resnet18_imagenet`; five seeds each. `a_resnet18_digits` is the same
for 2 cores. Not trained with this program yet.
Torchvision's ResNet18, trained alike, has 69.8 % on the validation images.
"""

import jaxunits as ju
from jaxunits.train import variants
from jaxunits.train.config import SGD, Config, Data, Schedule
from jaxunits.train.networks import ResNet18
from jaxunits.train.study import Study, grid

base = Config(
    preprocessing=ju.data.IMAGENET,
    data=Data("tfds:imagenet2012", threads=16),
    augmentation=ju.data.Augmentation("resized"),
    optimizer=SGD(learning_rate=0.1, weight_decay=1e-4),
    schedule=Schedule("cosine", warmup_epochs=5.0),
    epochs=90,
    batch_size=256,
    precision="bfloat16",
)
study = Study(
    grid(
        base,
        {"resnet18": ResNet18()},
        {
            "plain": variants.plain,
            "channel_dropout": variants.network(channel_dropout={"layer4.1": 0.5}),
        },
    )
)
