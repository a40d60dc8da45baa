"""Every training variant of the conv net on the embedded digits, three seeds each.

Run it with `python -m train digits_variants`; `--only plain batch_norm` trains some of them.
"""

import jaxunits as ju
from train import variants
from train.config import AdamW, Config, Data, Schedule
from train.networks import ConvNet
from train.study import Study, grid

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
        {
            "plain": variants.plain,
            "dropout": variants.network(dropout=0.5),
            "channel_dropout": variants.network(channel_dropout={"conv4": 0.2}),
            "batch_norm": variants.network(batch_norm=True),
            "weight_decay": variants.optimizer(weight_decay=0.5),
            "l1_weights": variants.regularizers(l1_weights=1e-4),
            "l1_activations": variants.regularizers(l1_activations=0.1),
            "random_labels": variants.data(random_labels=0.4),
            "tenth_of_data": variants.data(fraction=0.1),
            "selective": variants.regularizers(class_selectivity=1.0),
            "unselective": variants.regularizers(class_selectivity=-1.0),
        },
    ),
    seeds=(0, 1, 2),
)
