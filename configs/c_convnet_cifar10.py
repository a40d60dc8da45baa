"""The conv net of *Representative Substitution* on CIFAR-10.

Run it with `python -m train c_convnet_cifar10`. `digits_convnet_wide` is the same for 2 cores.
Not trained with this program yet.
"""

import jaxunits as ju
from jaxunits.train.config import SGD, Config, Data, Schedule
from jaxunits.train.networks import ConvNet

config = Config(
    network=ConvNet(),
    preprocessing=ju.data.CIFAR10,
    data=Data("tfds:cifar10", validation_split="test", in_memory=True),
    augmentation=ju.data.Augmentation("padded"),
    optimizer=SGD(learning_rate=0.05, weight_decay=5e-4),
    schedule=Schedule("cosine", warmup_epochs=1.0),
    epochs=100,
)
