"""Every training variant of the conv net on the embedded digits, three seeds each.

Run it with `python -m train digits_variants`; `--only plain batch_norm` trains some of them.
"""

import jaxunits as ju
from jaxunits.train import variants
from jaxunits.train.config import AdamW, Config, Data, Schedule
from jaxunits.train.networks import ConvNet
from jaxunits.train.study import Study, grid

base = Config(
    preprocessing=ju.data.Preprocessing(size=(28, 28), channels=1, mean=(0.13,), std=(0.31,)),
    data=Data(in_memory=True),
    optimizer=AdamW(learning_rate=2e-3, weight_decay=0.0),
    schedule=Schedule("cosine", warmup_epochs=0.5),
    epochs=15,
)
study = Study(
    grid(
        base,
        {"convnet": ConvNet(widths=(16, 16, 32, 32), pool_after=("conv1", "conv3"), dense=(64,))},
        variants.every("conv4"),
    ),
    seeds=(0, 1, 2),
)
