"""A tree's arrays by dotted names, such as `layer1.0.conv1.kernel`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from .._errors import InputError, unknown_name
from .._kinds import checks_kinds
from ._checked import check_arrays
from ._classifier import Classifier


@checks_kinds
def arrays(network: Classifier) -> dict[str, Any]:
    """All arrays of a network by their names: parameters and running averages.

    Args:
      network: the network.

    Returns:
      The arrays by their paths in the network, such as `conv1.kernel`.

    Raises:
      InputError: this is no network.
    """
    return named_leaves(network.params)


@checks_kinds
def with_arrays(network: Classifier, values: Mapping[str, Any]) -> Classifier:
    """A network like another, with other values of some of its arrays.

    Args:
      network: the network, which is not changed.
      values: arrays by the names that `arrays` gives.

    Returns:
      The network; it shares all other arrays with the one that was given.

    Raises:
      InputError: the network has no such array, or one of another shape.
    """
    own, place = arrays(network), f"network {network.name!r}"
    for name, value in values.items():
        if name not in own:
            raise unknown_name("array", name, own, place)
        _check_fits(value, own[name], f"{name!r}", place)
    return network.with_params(with_leaves(network.params, {**own, **values}))


def _check_fits(value: Any, own: Any, name: str, place: str) -> None:
    if not jax.tree_util.all_leaves([value]):
        raise InputError(f"array {name} of type {type(value).__name__} for {place}: give an array")
    check_arrays({name: value}, place)
    shape, expected = getattr(value, "shape", ()), jnp.shape(own)
    if tuple(shape) != expected:
        raise InputError(f"array {name} of shape {shape} for {place}: expected {expected}")


def named_leaves(tree: PyTree) -> dict[str, Any]:
    """The leaves of a tree by their names.

    Args:
      tree: any pytree.

    Returns:
      The leaves by their paths, joined by `.`.
    """
    return {_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def with_leaves(tree: PyTree, values: Mapping[str, Any]) -> PyTree:
    """A tree of the same structure, whose leaves are taken by their names."""
    return jax.tree_util.tree_map_with_path(lambda path, _: values[_name(path)], tree)


def _name(path: tuple[Any, ...]) -> str:
    # Variables of Flax are nodes with their value as the only child.
    return jax.tree_util.keystr(path, simple=True, separator=".").removesuffix(".value")
