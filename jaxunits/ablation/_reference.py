"""The reference path: the network, or what follows the layer, under every mask.

It serves any network and any mask, and the fast path is tested against it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, PyTree

from .._errors import InputError
from ..networks import Functional, features_of, with_features
from ._path import Evaluate, Path, Prepare
from ._question import Question


def reference(network: Functional, question: Question, reason: str, at_once: int) -> Path:
    """The path that runs the whole network under every mask."""
    name = question.layer.name
    values = {} if question.values is None else {name: jnp.asarray(question.values)}
    at_once = min(at_once, len(question.masks))

    def evaluate(
        params: PyTree, images: PyTree, arguments: PyTree, outcome: Callable[[Array], PyTree]
    ) -> PyTree:
        held = {key: jnp.asarray(mask) for key, mask in question.held.items()}

        def one_mask(row: Mapping[str, Array]) -> PyTree:
            return outcome(network.apply(params, images, {**held, **row}, values))

        # What does not depend on the row (the layers before the mask) is computed once.
        return _map(one_mask, arguments["masks"], at_once)

    return _by_rows(reason, _images, evaluate, question, at_once)


def reference_directions(
    network: Functional, question: Question, reason: str, at_once: int
) -> Path:
    """The path that ablates directions and runs what follows the layer.

    Raises:
      InputError: the network is not made of stages.
    """
    if network.assemble is None:
        raise InputError(
            f"network {network.name!r} is not made of stages: directions can be ablated in "
            "ju.networks.Network alone"
        )
    name, assemble = question.layer.name, network.assemble
    held = {key: jnp.asarray(mask) for key, mask in question.held.items()}

    def prepare(params: PyTree, images: Array) -> PyTree:
        return assemble(params).run(images, through=name, masks=held)

    def evaluate(
        params: PyTree, state: PyTree, arguments: PyTree, outcome: Callable[[Array], PyTree]
    ) -> PyTree:
        features, basis = features_of(state), arguments["basis"]
        rotated = features @ basis.astype(features.dtype)
        order = list(network.layers)
        behind = {key: held[key] for key in held if order.index(key) > order.index(name)}

        def one_mask(row: Mapping[str, Array]) -> PyTree:
            removed = rotated * (1 - row[name]).reshape((1,) * (rotated.ndim - 1) + row[name].shape)
            left = features - (removed @ basis.T).astype(features.dtype)
            others = {**behind, **{key: mask for key, mask in row.items() if key != name}}
            rest = assemble(params).run(with_features(state, left), after=name, masks=others)
            return outcome(rest)

        return _map(one_mask, arguments["masks"], at_once)

    return _by_rows(reason, prepare, evaluate, question, at_once)


def _by_rows(
    reason: str,
    prepare: Prepare,
    evaluate: Evaluate,
    question: Question,
    at_once: int,
) -> Path:
    """A path whose rows are the masks, padded to whole chunks."""
    count = len(question.masks)
    at_once = min(at_once, count)
    rows = -(-count // at_once) * at_once

    def padded(masks: np.ndarray) -> Float32[np.ndarray, "rows units"]:
        result = np.ones((rows, masks.shape[1]), np.float32)
        result[:count] = masks
        return result

    masks = {question.layer.name: question.masks, **question.along}
    arguments: dict[str, Any] = {"masks": {key: padded(value) for key, value in masks.items()}}
    if question.basis is not None:
        arguments["basis"] = question.basis
    position = np.arange(count, dtype=np.int32)
    return Path("reference", reason, prepare, evaluate, arguments, position, at_once)


def _images(params: PyTree, images: Array) -> PyTree:
    return images


def _map(function: Callable[[Any], PyTree], rows: PyTree, at_once: int) -> PyTree:
    return jax.lax.map(function, rows, batch_size=at_once if at_once > 1 else None)
