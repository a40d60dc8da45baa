"""VGG16 on ImageNet (*Representative Substitution*).

Run it with `python -m train c_vgg16_imagenet`, or load published weights instead
(`ju.networks.load_weights`). `c_vgg16_digits` is the same for 2 cores.
Not trained with this program yet. Torchvision's VGG16 has 71.6 % on the validation images.
"""

import jaxunits as ju
from jaxunits.train.config import SGD, Config, Data, Schedule
from jaxunits.train.networks import VGG16

config = Config(
    network=VGG16(dropout=0.5),
    preprocessing=ju.data.IMAGENET,
    data=Data("tfds:imagenet2012", threads=16),
    augmentation=ju.data.Augmentation("resized"),
    optimizer=SGD(learning_rate=0.01, weight_decay=5e-4),
    schedule=Schedule("cosine", warmup_epochs=5.0),
    epochs=74,
    batch_size=256,
    precision="bfloat16",
)
