"""How a question is answered: by the fast path or by the reference path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Int32, PyTree

from .._errors import InputError
from ..networks import Functional, Layer, Network, features_of, with_features
from ._encoding import encode
from ._fast import Rows, Split, before_linear, changes_of, evaluate_rows, split


class Outcome(NamedTuple):
    """What is kept of the logits of one image under one mask.

    Attributes:
      prediction: the class with the largest logit, the first of equals.
      loss: cross-entropy in nats.
      margin: the largest logit less the second largest.
    """

    prediction: Int32[Array, "*masks images"]
    loss: Float32[Array, "*masks images"]
    margin: Float32[Array, "*masks images"]


@dataclass(frozen=True, eq=False)
class Question:
    """Masks of one layer whose outcomes are wanted.

    Attributes:
      layer: the layer.
      masks: 1 = kept; the first row keeps everything.
      values: what ablated units give; None for zero.
      basis: orthonormal directions as columns, whose coordinates the masks ablate; None for units.
      held: masks of other layers `[units]` that apply throughout.
      along: masks of other layers `[masks, units]`, one for each mask.
    """

    layer: Layer
    masks: Float32[np.ndarray, "masks units"]
    values: Float32[np.ndarray, " units"] | None = None
    basis: Float32[np.ndarray, "units directions"] | None = None
    held: Mapping[str, np.ndarray] = field(default_factory=dict)
    along: Mapping[str, np.ndarray] = field(default_factory=dict)


Prepare = Callable[[PyTree, Array], PyTree]
Evaluate = Callable[[PyTree, PyTree, PyTree, Callable[[Array], PyTree]], PyTree]


@dataclass(frozen=True, eq=False)
class Path:
    """A way to answer a question.

    Attributes:
      name: `"fast"` or `"reference"`.
      reason: why this one.
      prepare: `(params, images) → state`, what all masks share.
      evaluate: `(params, state, arguments, outcome) → outcomes`, `[rows, ...]`.
      arguments: arrays that the masks consist of.
      position: the row of each mask.
      at_once: masks that are evaluated together.
      cut: where the network is cut; None on the reference path.
    """

    name: str
    reason: str
    prepare: Prepare
    evaluate: Evaluate
    arguments: PyTree
    position: Int32[np.ndarray, " masks"]
    at_once: int
    cut: Split | None = None

    def from_base(self, arguments: PyTree, kept: Float32[np.ndarray, " units"]) -> PyTree:
        """The arguments of single units, with other units ablated before them."""
        if self.cut is None:
            masks = {name: rows * kept.reshape(1, -1) for name, rows in arguments["masks"].items()}
            return {**arguments, "masks": masks}
        changes = arguments["changes"]
        bases = changes["bases"] & kept.astype(bool).reshape(1, -1)
        return {**arguments, "changes": {**changes, "bases": bases}}


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
        return _reference_directions(network, question, reason, at_once)
    return _reference(network, question, reason, at_once)


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


def _reference(network: Functional, question: Question, reason: str, at_once: int) -> Path:
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

    return _by_rows("reference", reason, _images, evaluate, question, at_once)


def _reference_directions(
    network: Functional, question: Question, reason: str, at_once: int
) -> Path:
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

    return _by_rows("reference", reason, prepare, evaluate, question, at_once)


def _by_rows(
    name: str,
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
    return Path(
        name, reason, prepare, evaluate, arguments, np.arange(count, dtype=np.int32), at_once
    )


def _images(params: PyTree, images: Array) -> PyTree:
    return images


def _map(function: Callable[[Any], PyTree], rows: PyTree, at_once: int) -> PyTree:
    return jax.lax.map(function, rows, batch_size=at_once if at_once > 1 else None)


def classify(logits: Float[Array, "images classes"], labels: Int32[Array, " images"]) -> Outcome:
    """Predicted class, cross-entropy and margin of each image."""
    logits = logits.astype(jnp.float32)
    classes = jax.lax.broadcasted_iota(jnp.int32, logits.shape, 1)
    largest = jnp.max(logits, axis=1)
    # The first of equals. XLA's argmax does the same and is five times as slow on CPUs.
    first = jnp.where(logits == largest[:, None], classes, logits.shape[1])
    prediction = jnp.min(first, axis=1)
    label = jnp.take_along_axis(logits, labels[:, None], axis=1)[:, 0]
    loss = jnp.log(jnp.exp(logits - largest[:, None]).sum(1)) - (label - largest)
    others = jnp.where(classes == prediction[:, None], -jnp.inf, logits)
    return Outcome(prediction, loss, largest - jnp.max(others, axis=1))
