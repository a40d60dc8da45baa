"""The six ways of `cifar10_trained` in a smaller conv net and fewer epochs, three seeds each."""

import dataclasses

from jaxunits.train.config import AdamW, Checkpoints
from jaxunits.train.networks import ConvNet

from .cifar10_trained import base, in_six_ways

study = in_six_ways(
    dataclasses.replace(
        base,
        optimizer=AdamW(learning_rate=2e-3, weight_decay=0.0),
        checkpoints=Checkpoints(keep="all"),
        epochs=5,
    ),
    ConvNet(widths=(16, 16, 32, 32), pool_after=("conv1", "conv2")),
)
