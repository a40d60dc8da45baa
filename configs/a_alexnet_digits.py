"""AlexNet on the embedded digits, plain, with batch norm and with channel dropout.

The networks of Zhou et al. 2018, small.

Run it with `python -m train a_alexnet_digits`; five seeds each.
A plain run takes 20 s on 2 cores. Validation accuracy 94.8 %.
"""

import jaxunits as ju
from jaxunits.train import variants
from jaxunits.train.config import AdamW, Config, Data, Schedule
from jaxunits.train.networks import AlexNet
from jaxunits.train.study import Study, grid

base = Config(
    preprocessing=ju.data.Preprocessing(size=(64, 64), channels=1, mean=(0.13,), std=(0.31,)),
    data=Data(in_memory=True),
    optimizer=AdamW(learning_rate=1e-3, weight_decay=0.05),
    schedule=Schedule("cosine", warmup_epochs=1.0),
    epochs=12,
)
study = Study(
    grid(
        base,
        {"alexnet": AlexNet(width=1 / 8, dropout=0.5)},
        {
            "plain": variants.plain,
            "batch_norm": variants.network(batch_norm=True),
            "channel_dropout": variants.network(channel_dropout={"conv5": 0.5}),
        },
    )
)
