"""One step of training, compiled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
      params: the network's parameters by their names, float32.
      statistics: batch norm's running averages by name; empty without batch norm.
      optimizer: Optax's state.
    """

    params: dict[str, Array]
    statistics: dict[str, Array]
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


def no_sums() -> Sums:
    """The sums before the first step of an epoch."""
    nats, count = jnp.zeros((), jnp.float32), jnp.zeros((), jnp.int32)
    return Sums(loss=nats, penalty=nats, correct=count, images=count)


def initial_state(
    network: ju.networks.Classifier, optimizer: optax.GradientTransformation
) -> State:
    """The state before the first step, from the network's own arrays."""
    trained = ju.networks.named_leaves(nnx.state(network.module, nnx.Param))
    arrays = ju.networks.arrays(network)
    params = {name: arrays[name] for name in trained}
    statistics = {name: array for name, array in arrays.items() if name not in trained}
    return State(params, statistics, optimizer.init(params))


def network_arrays(state: State) -> dict[str, Array]:
    """All arrays of the network, parameters and running averages, by their names."""
    return {**state.params, **state.statistics}


def with_arrays(state: State, arrays: Mapping[str, Array], optimizer: PyTree) -> State:
    """A state like another, with the values of `network_arrays`."""
    params, statistics = (
        {name: arrays[name] for name in values} for values in (state.params, state.statistics)
    )
    return State(params, statistics, optimizer)


def build_step(
    network: ju.networks.Classifier,
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
      The step; `key` holds the words of the key that a run draws its dropouts from, `number` counts
      its steps.
    """
    layers = regularizers.chosen_layers(network)
    forward = _training_forward(network, dtype, layers)

    def loss(
        params: dict[str, Array],
        statistics: dict[str, Array],
        batch: ju.data.Batch,
        key: PRNGKeyArray,
    ) -> tuple[Float[Array, ""], tuple[Sums, dict[str, Array]]]:
        (logits, statistics), activations = forward(params, statistics, batch.images, key)
        sums = _sums(logits, batch)
        added = penalty(
            regularizers,
            params,
            activations,
            jnp.asarray(batch.labels),
            jnp.asarray(batch.valid),
            network.classes,
        )
        sums = sums._replace(penalty=added * sums.images)
        return sums.loss / jnp.maximum(sums.images, 1) + added, (sums, statistics)

    if jax.device_count() == 1:
        # Blocks of images that several devices share would be sent from one to another.
        loss = ju.tracing.with_fast_convolutions(loss)

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


def _training_forward(
    network: ju.networks.Classifier, dtype: str, layers: Sequence[str]
) -> Callable[..., Any]:
    """Logits and running averages after the images, and the activations of layers."""

    def forward(
        params: dict[str, Array], statistics: dict[str, Array], images: Array, key: PRNGKeyArray
    ) -> tuple[Float[Array, "images classes"], dict[str, Array]]:
        arrays = _low(params, dtype) | statistics
        module: Any = nnx.view(
            ju.networks.with_arrays(network, arrays).module,
            raise_if_not_found=False,
            deterministic=False,
            use_running_average=False,
        )
        module = ju.networks.tagged(_drawing_from(module, key))
        logits = module(jnp.asarray(images).astype(dtype))
        after = ju.networks.named_leaves(nnx.state(module))
        return logits.astype(jnp.float32), {name: after[name] for name in statistics}

    if not layers:
        return lambda *arguments: (forward(*arguments), {})
    return ju.tracing.capture(forward, layers, images=2, training=True)


def _low(params: Mapping[str, Array], dtype: str) -> dict[str, Array]:
    """Parameters in another precision.

    Running averages stay in float32: in bfloat16 a step would be lost in rounding.
    """
    return {name: array.astype(dtype) for name, array in params.items()}


def _drawing_from(module: nnx.Module, key: PRNGKeyArray) -> nnx.Module:
    """A module each random part of which draws from a key of its own."""
    graph, *states = nnx.split(module, nnx.RngState, ...)
    random, rest = states
    leaves, structure = jax.tree.flatten(random)
    fresh = [
        jax.random.fold_in(key, position)
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        else jnp.zeros_like(leaf)
        for position, leaf in enumerate(leaves)
    ]
    return nnx.merge(graph, jax.tree.unflatten(structure, fresh), rest)


def _sums(logits: Float[Array, "images classes"], batch: ju.data.Batch) -> Sums:
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, batch.labels)
    correct = (jnp.argmax(logits, axis=1) == batch.labels) & batch.valid
    return Sums(
        loss=jnp.where(batch.valid, losses, 0).sum(),
        penalty=jnp.zeros(()),
        correct=correct.sum(),
        images=jnp.asarray(batch.valid).sum(),
    )
