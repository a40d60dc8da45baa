"""The conv net of *Representative Substitution*, a quarter as wide, on the digits: the demo.

Run it with `python -m train digits_convnet`.
Validation accuracy 97.6 to 97.9 % (three seeds), as after twice the epochs at a fifth of the rate.
"""

import jaxunits as ju
from jaxunits.train.config import AdamW, Checkpoints, Config, Data, Schedule
from jaxunits.train.networks import ConvNet

config = Config(
    network=ConvNet(widths=(16, 16, 32, 32), pool_after=("conv1", "conv3")),
    preprocessing=ju.data.Preprocessing(size=(28, 28), channels=1, mean=(0.13,), std=(0.31,)),
    data=Data(in_memory=True),
    optimizer=AdamW(learning_rate=1e-2, weight_decay=0.3),
    schedule=Schedule("cosine", warmup_epochs=0.5),
    epochs=10,
    checkpoints=Checkpoints(every=5),
)
