"""VGG16 with batch norm on CIFAR-10 (*Representative Substitution*).

Run it with `python -m train c_vgg16_cifar10`. `c_vgg16_digits` is the same for 2 cores.
Not trained with this program yet; 93 to 94 % on the test images are usual for this recipe.
"""

import jaxunits as ju
from jaxunits.train.config import SGD, Config, Data, Schedule
from jaxunits.train.networks import VGG16

config = Config(
    network=VGG16("cifar", batch_norm=True, dropout=0.5),
    preprocessing=ju.data.CIFAR10,
    data=Data("tfds:cifar10", validation_split="test", in_memory=True),
    augmentation=ju.data.Augmentation("padded"),
    optimizer=SGD(learning_rate=0.05, weight_decay=5e-4),
    schedule=Schedule("cosine", warmup_epochs=1.0),
    epochs=100,
    precision="bfloat16",
)
