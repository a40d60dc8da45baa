"""Which path answers a question, and the fast one put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from .._errors import InputError
from ..networks import Functional, Network
from ._encoding import encode
from ._fast import Rows, Split, before_linear, changes_of, evaluate_rows, split
from ._path import Path
from ._question import Question
from ._reference import reference, reference_directions


def fast_cut(network: Functional, question: Question) -> Split | str:
    """Where the fast path would cut the network, or why it cannot answer the question."""
    layer = question.layer.name
    if network.assemble is None:
        return f"network {network.name!r} is not made of stages"
    if not np.isin(question.masks, (0, 1)).all():
        return "masks hold numbers other than 0 and 1"
    order = list(network.layers)
    for name in question.along:
        if order.index(name) < order.index(layer):
            return f"masks of layer {name!r}, before layer {layer!r}, differ from row to row"
    return split(network.assemble(network.params), layer, rotated=question.basis is not None)


def choose(network: Functional, question: Question, path: str) -> tuple[Split | None, str]:
    """The fast path's cut, or None for the reference path, and the reason.

    Raises:
      InputError: the fast path is asked for and cannot serve.
    """
    if path == "reference":
        return None, "asked for"
    cut = fast_cut(network, question)
    if isinstance(cut, Split):
        reason = f"stage {cut.linear!r} behind the layer is affine"
        return cut, "asked for" if path == "fast" else reason
    if path == "fast":
        raise InputError(f"path='fast': {cut}; give path='auto' or 'reference'")
    return None, cut


def build(
    network: Functional, question: Question, cut: Split | None, reason: str, at_once: int
) -> Path:
    """The functions and arguments of a path."""
    if cut is not None:
        return _fast(network, question, cut, reason, at_once)
    if question.basis is not None:
        return reference_directions(network, question, reason, at_once)
    return reference(network, question, reason, at_once)


def _fast(network: Functional, question: Question, cut: Split, reason: str, at_once: int) -> Path:
    assemble = cast(Callable[[PyTree], Network], network.assemble)
    encoding = encode(question.masks.astype(bool), at_once)
    rows = Rows.of(encoding, at_once)
    chunks = encoding.units.shape[:2]
    order = list(network.layers)
    before = {
        name: mask
        for name, mask in question.held.items()
        if order.index(name) < order.index(question.layer.name)
    }
    behind = {name: mask for name, mask in question.held.items() if name not in before}
    behind = {name: np.broadcast_to(mask, (*chunks, len(mask))) for name, mask in behind.items()}
    for name, masks in question.along.items():
        placed = np.ones((chunks[0] * chunks[1], masks.shape[1]), np.float32)
        placed[encoding.position] = masks
        behind[name] = placed.reshape(*chunks, -1)

    def prepare(params: PyTree, images: Array) -> PyTree:
        held = {name: jnp.asarray(mask) for name, mask in before.items()}
        return before_linear(assemble(params), cut, images, held)

    def evaluate(
        params: PyTree, state: PyTree, arguments: PyTree, outcome: Callable[[Array], PyTree]
    ) -> PyTree:
        return evaluate_rows(
            assemble(params),
            cut,
            rows,
            state,
            arguments["changes"],
            arguments["behind"],
            question.values,
            arguments.get("basis"),
            outcome,
        )

    arguments: dict[str, Any] = {"changes": changes_of(encoding), "behind": behind}
    if question.basis is not None:
        arguments["basis"] = question.basis
    return Path("fast", reason, prepare, evaluate, arguments, encoding.position, at_once, cut)
