"""What all tests share."""

import os

# Before JAX starts: no accelerator, and no memory taken beforehand.
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import numpy as np
import optax
import pytest
from flax import nnx

import jaxunits as ju
from tests.reference import SMALL, small_convnet, small_residual

jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture(scope="session")
def digits():
    return ju.data.load("digits", "validation")


@pytest.fixture(scope="session")
def few_digits(digits):
    """300 digits of all classes, in arrays; their number is no multiple of any batch."""
    records = [digits[index] for index in range(300)]
    images = np.stack([record["image"] for record in records])
    labels = np.asarray([record["label"] for record in records])
    return ju.data.load((images, labels), "validation", class_names=digits.class_names)


@pytest.fixture(scope="session")
def trained(digits):
    """A small conv net that classifies most digits, with units that matter."""
    return fit(small_convnet(), epochs=2)


@pytest.fixture(scope="session")
def families(trained):
    """A trained network of every family, by name."""
    return {
        "convnet": trained,
        "mlp": fit(ju.networks.mlp(10, widths=(16, 12), preprocessing=SMALL), epochs=2),
        "residual": fit(small_residual(), epochs=8),
    }


def fit(network, epochs):
    """Train a network on the digits, its batch norms as they are."""
    graph, params, rest = nnx.split(network, nnx.Param, ...)
    optimizer = optax.adam(5e-3)

    @jax.jit
    def step(params, state, images, labels):
        def loss(params):
            logits = nnx.merge(graph, params, rest)(images)
            return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

        updates, state = optimizer.update(jax.grad(loss)(params), state)
        return optax.apply_updates(params, updates), state

    state = optimizer.init(params)
    train = ju.data.load("digits", "train")
    for epoch in range(epochs):
        for batch in ju.data.shuffled_batches(train, SMALL, 100, seed=0, epoch=epoch):
            params, state = step(params, state, batch.images, batch.labels)
    nnx.update(network, params)
    return network
