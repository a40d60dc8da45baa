"""The multi-layer perceptron of *Representative Substitution* on CIFAR-10.

Run it with `python -m train c_mlp_cifar10`. `digits_mlp` is the same for 2 cores.
Not trained with this program yet.
"""

import jaxunits as ju
from jaxunits.train.config import AdamW, Config, Data, Schedule
from jaxunits.train.networks import MLP

config = Config(
    network=MLP(),
    preprocessing=ju.data.CIFAR10,
    data=Data("tfds:cifar10", validation_split="test", in_memory=True),
    optimizer=AdamW(learning_rate=5e-4, weight_decay=0.1),
    schedule=Schedule("cosine", warmup_epochs=1.0),
    epochs=100,
)
