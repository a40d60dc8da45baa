"""One step of training and one batch of evaluation, compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Float, Int, PyTree

import jaxunits as ju


class State(NamedTuple):
    """What training changes.

    Attributes:
      params: the network's arrays as nested dictionaries, float32.
      optimizer: Optax's state.
    """

    params: PyTree
    optimizer: PyTree


class Sums(NamedTuple):
    """Sums over images, from which means are taken at the end of an epoch.

    Attributes:
      loss: cross-entropies in nats.
      correct: correct images.
      images: images.
    """

    loss: Float[Array, ""]
    correct: Int[Array, ""]
    images: Int[Array, ""]


Step = Callable[[State, ju.data.Batch], tuple[State, Sums]]
Evaluate = Callable[[PyTree, ju.data.Batch], Sums]


def no_sums() -> Sums:
    """Sums over no images."""
    return Sums(jnp.zeros(()), jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32))


def build_step(
    network: ju.networks.Network, optimizer: optax.GradientTransformation, dtype: str
) -> Step:
    """A training step `(state, batch) → (state, sums)`.

    Args:
      network: for its architecture; its own parameters are not used.
      optimizer: of the state.
      dtype: of activations and gradients.
    """
    forward = _forward(network, dtype)

    def loss(params: PyTree, batch: ju.data.Batch) -> tuple[Float[Array, ""], Sums]:
        sums = _sums(forward(params, jnp.asarray(batch.images)), batch)
        return sums.loss / sums.images, sums

    @jax.jit
    def step(state: State, batch: ju.data.Batch) -> tuple[State, Sums]:
        gradients, sums = jax.grad(loss, has_aux=True)(state.params, batch)
        updates, new = optimizer.update(gradients, state.optimizer, state.params)
        return State(optax.apply_updates(state.params, updates), new), sums

    return step


def build_evaluate(network: ju.networks.Network, dtype: str) -> Evaluate:
    """An evaluation `(params, batch) → sums`; arguments as in `build_step`."""
    forward = _forward(network, dtype)

    @jax.jit
    def evaluate(params: PyTree, batch: ju.data.Batch) -> Sums:
        return _sums(forward(params, jnp.asarray(batch.images)), batch)

    return evaluate


def _forward(network: ju.networks.Network, dtype: str) -> Callable[[PyTree, Array], Array]:
    graph, state = nnx.split(network)

    def forward(params: PyTree, images: Array) -> Float[Array, "images classes"]:
        low = jax.tree.map(lambda leaf: leaf.astype(dtype), params)
        filled = jax.tree.map(lambda leaf: leaf, state)
        nnx.replace_by_pure_dict(filled, low)
        logits: Array = nnx.merge(graph, filled)(images.astype(dtype))
        return logits.astype(jnp.float32)

    return forward


def _sums(logits: Float[Array, "images classes"], batch: ju.data.Batch) -> Sums:
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, batch.labels)
    correct = (jnp.argmax(logits, axis=1) == batch.labels) & batch.valid
    return Sums(jnp.where(batch.valid, losses, 0).sum(), correct.sum(), batch.valid.sum())
