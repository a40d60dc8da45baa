"""One step of training and one batch of evaluation, compiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree, UInt32

import jaxunits as ju

from .regularizers import Regularizers, penalty


class State(NamedTuple):
    """What training changes.

    Attributes:
      params: the network's parameters as nested dictionaries, float32.
      statistics: batch norm's running averages likewise; empty without batch norm.
      optimizer: Optax's state.
    """

    params: PyTree
    statistics: PyTree
    optimizer: PyTree


class Sums(NamedTuple):
    """Sums over images, from which means are taken at the end of an epoch.

    Attributes:
      loss: cross-entropies in nats.
      penalty: what regularizers added, times the images of the batch.
      correct: correct images.
      images: images.
    """

    loss: Float[Array, "*runs"]
    penalty: Float[Array, "*runs"]
    correct: Int[Array, "*runs"]
    images: Int[Array, "*runs"]


Step = Callable[[State, ju.data.Batch, Any, Any], tuple[State, Sums]]
Evaluate = Callable[[State, ju.data.Batch], Sums]


def initial_state(network: ju.networks.Network, optimizer: optax.GradientTransformation) -> State:
    """The state before the first step, from the network's own arrays."""
    _, *states = nnx.split(network, nnx.Param, ...)
    params, statistics = (nnx.to_pure_dict(state) for state in states)
    return State(params, statistics, optimizer.init(params))


def network_arrays(state: State) -> PyTree:
    """All arrays of the network, parameters and running averages, as nested dictionaries."""
    return nnx.to_pure_dict(nnx.merge_state(nnx.State(state.params), nnx.State(state.statistics)))


def with_arrays(state: State, arrays: PyTree, optimizer: PyTree) -> State:
    """A state like another, with the values of `network_arrays`."""

    def chosen(like: PyTree, values: PyTree) -> PyTree:
        if not isinstance(like, dict):
            return values
        return {key: chosen(like[key], values[key]) for key in like}

    return State(chosen(state.params, arrays), chosen(state.statistics, arrays), optimizer)


def build_step(
    network: ju.networks.Network,
    optimizer: optax.GradientTransformation,
    dtype: str,
    regularizers: Regularizers,
) -> Step:
    """A training step `(state, batch, key, number) → (state, sums)`.

    Args:
      network: for its architecture; its own arrays are not used.
      optimizer: of the state.
      dtype: of activations and gradients.
      regularizers: what is added to the cross-entropy.

    Returns:
      The step; `key` holds the words of the key that a run draws its dropouts of, `number` counts
      its steps.
    """
    forward = _forward(network, dtype, training=True)
    layers: Sequence[str] = ()
    if regularizers.of_activations:
        layers = regularizers.layers or tuple(network.layers)

    def loss(
        params: PyTree, statistics: PyTree, batch: ju.data.Batch, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], tuple[Sums, PyTree]]:
        logits, answers, statistics = forward(params, statistics, batch.images, layers, key)
        sums = _sums(logits, batch)
        added = penalty(
            regularizers,
            params,
            answers,
            jnp.asarray(batch.labels),
            jnp.asarray(batch.valid),
            network.classes,
        )
        sums = sums._replace(penalty=added * sums.images)
        return sums.loss / jnp.maximum(sums.images, 1) + added, (sums, statistics)

    def step(
        state: State, batch: ju.data.Batch, key: UInt32[Array, " words"], number: Int[Array, ""]
    ) -> tuple[State, Sums]:
        drawn = jax.random.fold_in(jax.random.wrap_key_data(key), number)
        gradients, (sums, statistics) = jax.grad(loss, has_aux=True)(
            state.params, state.statistics, batch, drawn
        )
        updates, new = optimizer.update(gradients, state.optimizer, state.params)
        return State(optax.apply_updates(state.params, updates), statistics, new), sums

    return step


def build_evaluate(network: ju.networks.Network, dtype: str) -> Evaluate:
    """An evaluation `(state, batch) → sums`; arguments as in `build_step`."""
    forward = _forward(network, dtype, training=False)

    def evaluate(state: State, batch: ju.data.Batch) -> Sums:
        return _sums(forward(state.params, state.statistics, batch.images, (), None)[0], batch)

    return evaluate


def _forward(network: ju.networks.Network, dtype: str, *, training: bool) -> Callable[..., Any]:
    """Logits, activations of layers, and running averages after the images."""
    view = nnx.view(network, raise_if_not_found=False, use_running_average=not training)
    graph, *states = nnx.split(view, nnx.Param, ...)

    def forward(
        params: PyTree,
        statistics: PyTree,
        images: Array,
        layers: Sequence[str],
        key: PRNGKeyArray | None,
    ) -> tuple[Float[Array, "images classes"], dict[str, Array], PyTree]:
        # Running averages stay in float32: in bfloat16 a step would be lost in rounding.
        low = jax.tree.map(lambda leaf: leaf.astype(dtype), params)
        filled = [jax.tree.map(lambda leaf: leaf, state) for state in states]
        for state, values in zip(filled, (low, statistics), strict=True):
            nnx.replace_by_pure_dict(state, values)
        module = nnx.merge(graph, *filled)
        logits, answers = module.with_activations(
            jnp.asarray(images).astype(dtype), layers, key=key
        )
        after = nnx.split(module, nnx.Param, ...)[-1]
        return logits.astype(jnp.float32), answers, nnx.to_pure_dict(after)

    return forward


def _sums(logits: Float[Array, "images classes"], batch: ju.data.Batch) -> Sums:
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, batch.labels)
    correct = (jnp.argmax(logits, axis=1) == batch.labels) & batch.valid
    return Sums(
        loss=jnp.where(batch.valid, losses, 0).sum(),
        penalty=jnp.zeros(()),
        correct=correct.sum(),
        images=jnp.asarray(batch.valid).sum(),
    )
