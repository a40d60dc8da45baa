"""What is added to the cross-entropy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

import jaxunits as ju

# Leavitt and Morcos take 1e-7, so that units that hardly respond do not dominate the gradient.
_EPSILON = 1e-7


@dataclass(frozen=True)
class Regularizers:
    """Penalties on units; weight decay is the optimizer's, dropout and batch norm the network's."""

    l1_weights: Annotated[float, ju.Range(0)] = 0.0
    """Weight of the summed L1 norms of all units' incoming weights."""
    l1_activations: Annotated[float, ju.Range(0)] = 0.0
    """Weight of the mean absolute activation of a layer, averaged over layers."""
    class_selectivity: Annotated[float, ju.Range()] = 0.0
    """Weight of a layer's mean class selectivity in the batch, averaged over layers and subtracted
    from the loss; above 0 units become selective, below 0 the opposite (Leavitt and Morcos
    2020)."""
    layers: tuple[str, ...] = ()
    """The layers whose activations are regularized; by default all with a non-linearity."""

    def chosen_layers(self, network: ju.networks.Classifier) -> tuple[str, ...]:
        """The layers whose activations have to be kept."""
        if not (self.l1_activations or self.class_selectivity):
            return ()
        return self.layers or tuple(
            name for name, layer in network.layers.items() if layer.unit_is == "post-activation"
        )

    def check(self, network: ju.networks.Classifier) -> None:
        """Refuse layers that the network does not have.

        Raises:
          InputError: naming the layer.
        """
        for name in self.layers:
            if name not in network.layers:
                place = f"regularizers.layers: network {network.name!r}"
                raise ju.unknown_name("layer", name, network.layers, place)


def penalty(
    settings: Regularizers,
    params: PyTree,
    activations: Mapping[str, Float[Array, "images ..."]],
    labels: Int[Array, " images"],
    valid: Bool[Array, " images"],
    classes: int,
) -> Float[Array, ""]:
    """What the regularizers add to the loss of a batch.

    Args:
      settings: the weight of each.
      params: the network's parameters; every array of two or more axes is a kernel.
      activations: of the layers that count, units on the last axis.
      labels: the images' classes.
      valid: the images that count.
      classes: how many classes there are.
    """
    total = jnp.zeros(())
    if settings.l1_weights:
        total += settings.l1_weights * sum_of_weights(params)
    if settings.l1_activations:
        sizes = [_spatial_means(abs(maps)).mean(1) for maps in activations.values()]
        total += (
            settings.l1_activations
            * jnp.stack(
                [jnp.where(valid, each, 0).sum() / jnp.maximum(valid.sum(), 1) for each in sizes]
            ).mean()
        )
    if settings.class_selectivity:
        means = [_spatial_means(maps) for maps in activations.values()]
        total -= (
            settings.class_selectivity
            * jnp.stack([mean_selectivity(each, labels, valid, classes) for each in means]).mean()
        )
    return total


def sum_of_weights(params: PyTree) -> Float[Array, ""]:
    """The L1 norms of all units, added up: absolute weights, biases and scales left out."""
    kernels = [leaf for leaf in jax.tree.leaves(params) if leaf.ndim > 1]
    return jnp.stack([abs(kernel).sum() for kernel in kernels]).sum()


def mean_selectivity(
    activations: Float[Array, "images units"],
    labels: Int[Array, " images"],
    valid: Bool[Array, " images"],
    classes: int,
) -> Float[Array, ""]:
    """The mean over units of the class selectivity that the images of a batch show."""
    member = jax.nn.one_hot(labels, classes, dtype=activations.dtype) * valid[:, None]
    counts = member.sum(0)
    means = (activations.T @ member) / jnp.maximum(counts, 1)[None]
    selectivity = ju.attributes.class_selectivity(means, present=counts > 0, epsilon=_EPSILON)
    return selectivity.max(-1).mean()


def _spatial_means(maps: Any) -> Float[Array, "images units"]:
    maps = maps.astype(jnp.float32)
    return maps.mean(tuple(range(1, maps.ndim - 1)))
