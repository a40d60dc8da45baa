"""Small trained networks whose weights are files, so that every machine tests the same ones.

`python -m tests.make_weights` trains them anew.
"""

import os
from pathlib import Path

import jax.numpy as jnp
from safetensors.numpy import load_file

import jaxunits as ju
from tests.reference import SMALL, small_convnet, small_residual

# What each network is built by, from a seed, and how many epochs of the digits it is trained.
NETWORKS = {
    "convnet": (small_convnet, 2),
    "mlp": (lambda seed=0: ju.networks.mlp(10, widths=(16, 12), preprocessing=SMALL, seed=seed), 8),
    "residual": (small_residual, 8),
}


def folder():
    return Path(os.environ.get("JAXUNITS_TEST_WEIGHTS", Path(__file__).parent / "weights"))


def stored(name):
    """A trained network."""
    build, _ = NETWORKS[name]
    arrays = load_file(folder() / f"{name}.safetensors")
    return ju.networks.with_arrays(build(), {key: jnp.asarray(arrays[key]) for key in arrays})
