"""The six ways of `cifar10_trained` in a smaller conv net and fewer epochs, three seeds each.

Run it with `python -m train cifar10_trained_small`, and with images in PNG files as
`cifar10_trained` says. All checkpoints are kept, so that `topology` shows the training. On 2 cores
that others used too it takes 37 minutes, 15 of them its own. Test accuracies: plain 60.3, batch
norm 63.5, channel dropout 59.2, half random labels 47.9, under the regularizer for selectivity 55.4
and against it 60.1 %.

What of the papers' claims holds is measured on every fifth test image (`test_fifth` of such a
folder, `test[:20%]` of TFDS) in 31 minutes, 18 of them its own, by

    python -m analysis runs/cifar10_trained_small drop_curves correlations greedy rotations topology
        phase_transition stability roles substitution --split test_fifth --greedy.steps 10
        --rotations.count 3 --synthesis.steps 64 --synthesis.noise-seeds 2

and, of each plain network and of each with random labels, `removal --split test_fifth
--removal.draws 5 --removal.steps 10 --removal.images 1000`. `python -m analysis.claims
runs/cifar10_trained_small` then says what was found.
"""

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
