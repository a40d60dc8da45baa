"""Which path evaluates a question, and what it costs."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from .._errors import InputError
from ..networks import Classifier
from ._encoding import Encoding, encode
from ._fast import fast_path, stages
from ._path import Path
from ._question import Question
from ._reference import reference_path, reference_stages
from ._work import Work, fast_work, reference_work


class Choice(NamedTuple):
    """How a question is evaluated.

    Attributes:
      name: `"fast"` or `"reference"`.
      reason: why this one.
      work: what it costs for an image.
    """

    name: str
    reason: str
    work: Work


def choose(network: Classifier, question: Question, path: str) -> Choice:
    """The path that is asked for, or the one that costs less.

    Raises:
      InputError: the fast path is asked for and cannot serve.
    """
    if path == "reference":
        return Choice("reference", "asked for", work_of(network, question, "reference"))
    obstacle = _obstacle(network, question)
    if obstacle:
        if path == "fast":
            raise InputError(f"path='fast': {obstacle}; give path='auto' or 'reference'")
        return Choice("reference", obstacle, work_of(network, question, "reference"))
    fast = work_of(network, question, "fast")
    if path == "fast":
        return Choice("fast", "asked for", fast)
    reference = work_of(network, question, "reference")
    numbers = f"{fast.total:,} multiply-adds an image on the fast path, {reference.total:,} else"
    if reference.total <= fast.total:
        return Choice("reference", numbers, reference)
    return Choice("fast", numbers, fast)


def _obstacle(network: Classifier, question: Question) -> str:
    """Why masks cannot be evaluated as changes; empty where they can."""
    if not np.isin(question.masks, (0, 1)).all():
        return "masks hold numbers other than 0 and 1"
    order = list(network.layers)
    layer = question.layer.name
    for name in question.along:
        if order.index(name) < order.index(layer):
            return f"masks of layer {name!r}, before layer {layer!r}, differ from row to row"
    return ""


def build(
    network: Classifier, question: Question, name: str, images: Any, dtype: Any, at_once: int
) -> Path:
    """The functions and arguments of a path.

    Args:
      network: the network.
      question: the masks.
      name: `"fast"` or `"reference"`.
      images: the shape of a batch on one device.
      dtype: of images, and of parameters that are floating-point numbers.
      at_once: masks that are evaluated together.
    """
    shapes = {"params": cast_shapes(network.params, dtype), "images": images}
    traced = network.function.traced(shapes["params"], images)
    layer = question.layer.name
    if question.values is not None:
        traced.check_values(layer)
    arguments = _arguments(question)
    if name == "reference":
        return reference_path(traced, layer, question.masks, arguments, shapes, at_once)
    encoding = _encoded(question, at_once)
    return fast_path(traced, layer, encoding, arguments, shapes, at_once)


def work_of(network: Classifier, question: Question, name: str) -> Work:
    """What a question costs on a path, for one image."""
    images = jax.ShapeDtypeStruct((1, *network.example.shape[1:]), jnp.float32)
    shapes = {"params": cast_shapes(network.params, jnp.float32), "images": images}
    traced = network.function.traced(shapes["params"], images)
    layer, arguments = question.layer.name, _arguments(question)
    shapes["fixed"] = arguments["fixed"]
    rows = {key: _shape(masks.shape[1:]) for key, masks in question.along.items()}
    if name == "reference":
        rows[layer] = _shape((question.layer.units,))
        parts = reference_stages(traced, layer, shapes, rows)
        return reference_work(parts, len(question.masks))
    encoding = _encoded(question, 1)
    several = jax.tree.map(lambda each: _shape((1, *each.shape)), rows)
    change = {
        "units": _shape((1, encoding.changes), jnp.int32),
        "signs": _shape((1, encoding.changes)),
        "along": several,
    }
    base = _shape((question.layer.units,), bool)
    parts_of_rows = stages(
        traced, layer, {**shapes, "base": base, "change": change}, running=encoding.running
    )
    return fast_work(parts_of_rows, len(encoding.bases), len(question.masks))


def cast_shapes(params: PyTree, dtype: Any) -> PyTree:
    """The shapes of parameters, floating-point numbers in another type."""

    def one(leaf: Any) -> jax.ShapeDtypeStruct:
        own = jax.dtypes.result_type(leaf)
        wanted = dtype if jnp.issubdtype(own, jnp.floating) and dtype != jnp.float32 else own
        return _shape(jnp.shape(leaf), wanted)

    return jax.tree.map(one, params)


def _encoded(question: Question, at_once: int) -> Encoding:
    return encode(question.masks.astype(bool), at_once)


def _arguments(question: Question) -> dict[str, Any]:
    fixed: dict[str, Any] = {"held": dict(question.held)}
    if question.values is not None:
        fixed["values"] = question.values
    if question.basis is not None:
        fixed["basis"] = question.basis
    return {"fixed": fixed, "along": dict(question.along)}


def _shape(shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype)
