"""Train the small networks that the tests read from `tests/weights/`.

    python -m tests.make_weights
    python -m tests.make_weights --seed 7 --folder FOLDER
    JAXUNITS_TEST_WEIGHTS=FOLDER make test

Tests have to pass with the weights of any seed.
"""

import argparse
from pathlib import Path

import jax
import numpy as np
import optax
from flax import nnx
from safetensors.numpy import save

import jaxunits as ju
from jaxunits import files
from tests.stored import MEMORIZED, NETWORKS, folder, memorized, memorizing

# Tests ask what ablation takes from a network, which has to have something to lose.
ACCURACY = 0.85
EPOCHS_TO_MEMORIZE = 150


def main():
    parser = argparse.ArgumentParser(description="Train the networks that the tests read.")
    parser.add_argument("--seed", type=int, default=0, help="of initial weights and batches")
    parser.add_argument("--folder", type=Path, default=folder(), help="where the files are written")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    train, validation = (ju.data.load("digits", split) for split in ("train", "validation"))
    for name, (build, epochs) in NETWORKS.items():
        network = fit(build(seed=options.seed), train, epochs, options.seed)
        keep(name, network, accuracy(network, validation), ACCURACY, options.folder)
    for name in MEMORIZED:
        known = memorized(name)
        network = fit(memorizing(options.seed), known, EPOCHS_TO_MEMORIZE, options.seed, 2e-3)
        keep(name, network, accuracy(network, known), 1, options.folder)


def keep(name, network, reached, least, path):
    """Write a network's weights, if it is right on enough images."""
    print(f"{name}: {reached:.1%} of the images")  # noqa: T201
    if reached < least:
        raise SystemExit(f"{name} is below {least:.0%}: train it longer")
    arrays = {key: np.asarray(array) for key, array in ju.networks.arrays(network).items()}
    files.write_atomically(path / f"{name}.safetensors", save(arrays))


def fit(network, data, epochs, seed, rate=5e-3):
    """A network trained on some images, its batch norms as they are."""
    graph, params, rest = nnx.split(network.module, nnx.Param, ...)
    optimizer = optax.adam(rate)

    @jax.jit
    def step(params, state, images, labels):
        def loss(params):
            logits = nnx.merge(graph, params, rest)(images)
            return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

        updates, state = optimizer.update(jax.grad(loss)(params), state)
        return optax.apply_updates(params, updates), state

    state = optimizer.init(params)
    size = network.preprocessing
    for epoch in range(epochs):
        for batch in ju.data.shuffled_batches(data, size, 100, seed=seed, epoch=epoch):
            params, state = step(params, state, batch.images, batch.labels)
    return ju.networks.with_arrays(network, ju.networks.named_leaves(params))


def accuracy(network, data):
    run = jax.jit(lambda images: network(images).argmax(1))
    right = [
        (np.asarray(run(batch.images)) == batch.labels)[batch.valid].sum()
        for batch in ju.data.batches(data, network.preprocessing, 200)
    ]
    return sum(right) / len(data)


if __name__ == "__main__":
    main()
