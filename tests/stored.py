"""Small trained networks whose weights are files, so that every machine tests the same ones.

`python -m tests.make_weights` trains them anew.
"""

import os
from pathlib import Path

import jax.numpy as jnp
from safetensors.numpy import load_file

import jaxunits as ju
from tests.reference import SMALL, small_convnet, small_residual


def small_vision_transformer(seed=0):
    return ju.networks.vision_transformer(
        10, patch=7, width=16, depth=2, heads=4, hidden=12, preprocessing=SMALL, seed=seed
    )


# What each network is built by, from a seed, and how many epochs of the digits it is trained.
NETWORKS = {
    "convnet": (small_convnet, 2),
    "mlp": (lambda seed=0: ju.networks.mlp(10, widths=(16, 12), preprocessing=SMALL, seed=seed), 8),
    "residual": (small_residual, 8),
    "vision_transformer": (small_vision_transformer, 20),
}


# MLPs that know some images by heart, by the share of their labels that is drawn at random.
TINY = ju.data.Preprocessing(size=(8, 8), channels=1, mean=(0.13,), std=(0.31,))
MEMORIZED = {"mlp_true_labels": 0.0, "mlp_half_random_labels": 0.5, "mlp_random_labels": 1.0}


def memorizing(seed=0):
    return ju.networks.mlp(10, widths=(96, 96), preprocessing=TINY, seed=seed)


def memorized(name):
    """The images and labels that a network of `MEMORIZED` was trained on."""
    return ju.data.random_labels(ju.data.load("digits", "train[:300]"), MEMORIZED[name])


def folder():
    return Path(os.environ.get("JAXUNITS_TEST_WEIGHTS", Path(__file__).parent / "weights"))


def stored(name):
    """A trained network."""
    build = memorizing if name in MEMORIZED else NETWORKS[name][0]
    arrays = load_file(folder() / f"{name}.safetensors")
    return ju.networks.with_arrays(build(), {key: jnp.asarray(arrays[key]) for key in arrays})
