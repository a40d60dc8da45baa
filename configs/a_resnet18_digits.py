"""ResNet18 on the embedded digits, plain and with channel dropout (Zhou et al. 2018, small).

Run it with `python -m train a_resnet18_digits`; five seeds each.
A plain run takes 25 s on 2 cores. Validation accuracy 95.3 %.
"""

import jaxunits as ju
from jaxunits.train import variants
from jaxunits.train.config import AdamW, Config, Data, Schedule
from jaxunits.train.networks import ResNet18
from jaxunits.train.study import Study, grid

base = Config(
    preprocessing=ju.data.Preprocessing(size=(28, 28), channels=1, mean=(0.13,), std=(0.31,)),
    data=Data(in_memory=True),
    optimizer=AdamW(learning_rate=2e-3, weight_decay=0.05),
    schedule=Schedule("cosine", warmup_epochs=0.5),
    epochs=4,
)
study = Study(
    grid(
        base,
        {"resnet18": ResNet18("cifar", width=1 / 8)},
        {
            "plain": variants.plain,
            "channel_dropout": variants.network(channel_dropout={"layer4.1": 0.5}),
        },
    )
)
