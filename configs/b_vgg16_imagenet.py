"""VGG16 on ImageNet with all, half, a quarter and a tenth of the images (Zhao and Zhang 2021).

Four models that generalize differently. Run it with `python -m train b_vgg16_imagenet`;
`b_vgg16_digits` is the same for 2 cores. Not trained with this program yet.
Torchvision's VGG16 has 71.6 % on the validation images, from all of the training images.
"""

import jaxunits as ju
from jaxunits.train import variants
from jaxunits.train.config import SGD, Config, Data, Schedule
from jaxunits.train.networks import VGG16
from jaxunits.train.study import Study, grid

base = Config(
    preprocessing=ju.data.IMAGENET_WHOLE,
    data=Data("tfds:imagenet2012", threads=16),
    augmentation=ju.data.Augmentation("resized"),
    optimizer=SGD(learning_rate=0.01, weight_decay=5e-4),
    schedule=Schedule("cosine", warmup_epochs=5.0),
    epochs=74,
    batch_size=256,
    precision="bfloat16",
)
study = Study(
    grid(
        base,
        {"vgg16": VGG16(dropout=0.5)},
        {
            "all": variants.plain,
            "half": variants.data(fraction=0.5),
            "quarter": variants.data(fraction=0.25),
            "tenth": variants.data(fraction=0.1),
        },
    ),
    seeds=(0,),
)
