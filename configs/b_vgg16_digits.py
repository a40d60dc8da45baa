"""VGG16 on all and parts of the embedded digits, and on random labels (Zhao and Zhang 2021, small).

Four models that generalize differently. Run it with `python -m train b_vgg16_digits`.
Takes about 45 s a run on 2 cores. Validation accuracies 95.7, 88.0, 71.8 and 60.6 %.
"""

import jaxunits as ju
from jaxunits.train import variants
from jaxunits.train.config import AdamW, Checkpoints, Config, Data, Schedule
from jaxunits.train.networks import VGG16
from jaxunits.train.study import Study, grid

base = Config(
    preprocessing=ju.data.Preprocessing(size=(32, 32), channels=1, mean=(0.1,), std=(0.28,)),
    data=Data(in_memory=True),
    optimizer=AdamW(learning_rate=1e-3, weight_decay=0.05),
    schedule=Schedule("cosine", warmup_epochs=1.0),
    checkpoints=Checkpoints(keep="all"),
    epochs=12,
)
study = Study(
    grid(
        base,
        {"vgg16": VGG16("cifar", width=1 / 8, batch_norm=True)},
        {
            "all": variants.plain,
            "quarter": variants.data(fraction=0.25),
            "tenth": variants.data(fraction=0.1),
            "random_labels": variants.data(random_labels=0.5),
        },
    ),
    seeds=(0,),
)
