"""Which path evaluates a question, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import InputError
from .._programs import Shapes, kept
from ..networks import Classifier
from ..networks._function import MaskedFunction
from ._cost import Work, fast_work, reference_work
from ._encoding import Encoding, encode
from ._fast import fast_functions, fast_path, stages
from ._path import Functions, Layout, Path
from ._question import Inputs, Question, Resampling
from ._reference import reference_functions, reference_path, reference_stages


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
      InputError: the fast path is asked for and cannot serve, or values are given for a layer
        whose activations are not known.
    """
    if question.values is not None:
        network.function.traced(network.params, network.example).check_values(question.layer.name)
    if path == "reference":
        return Choice("reference", "asked for", work_of(network, question, "reference"))
    obstacle = _obstacle(network, question)
    if obstacle:
        if path == "fast":
            raise InputError(f"method='fast': {obstacle}; give method='auto' or 'reference'")
        return Choice("reference", obstacle, work_of(network, question, "reference"))
    fast = work_of(network, question, "fast")
    if path == "fast":
        return Choice("fast", "asked for", fast)
    reference = work_of(network, question, "reference")
    numbers = f"{fast.total:,} multiply-adds per image on the fast path, {reference.total:,} else"
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


def path_of(question: Question, name: str, at_once: int) -> Path:
    """A question's masks as a path evaluates them, so many together."""
    if name == "reference":
        return reference_path(question.masks, _arguments(question), at_once)
    return fast_path(_encoded(question, at_once), _arguments(question), at_once)


def functions_of(
    function: MaskedFunction, layer: str, layout: Layout, shapes: Mapping[str, Any]
) -> Functions:
    """What a path computes.

    Args:
      function: the network.
      layer: the layer.
      layout: how the masks lie in the arguments.
      shapes: of `params`, a batch's `inputs` on one device, and the path's `arguments`.
    """
    traced = function.traced(shapes["params"], shapes["inputs"].images)
    make = reference_functions if layout.name == "reference" else fast_functions
    return make(traced, layer, layout, shapes)


def work_of(network: Classifier, question: Question, name: str) -> Work:
    """What a question costs on a path, for one image."""
    image = _shape((1, *network.example.shape[1:]))
    inputs = Shapes.of(Inputs(image, image if isinstance(question.values, Resampling) else None))
    params, arguments = Shapes.of(network.params), _arguments(question)
    fixed = Shapes.of(arguments["fixed"])
    along = Shapes.of({key: masks[0] for key, masks in question.along.items()})
    given = (network.function, params, inputs, question.layer.name, question.layer.units)
    if name == "reference":
        return _reference_work(*given, fixed, along, len(question.masks))
    encoding = _encoded(question, 1)
    counts = (encoding.changes, len(encoding.bases), len(question.masks))
    return _fast_work(*given, fixed, along, counts, encoding.running)


@kept
def _reference_work(
    function: MaskedFunction,
    params: Shapes,
    inputs: Shapes,
    layer: str,
    units: int,
    fixed: Shapes,
    along: Shapes,
    masks: int,
) -> Work:
    """For masks along with others, one shape of each."""
    shapes = {"params": params.tree(), "inputs": inputs.tree(), "fixed": fixed.tree()}
    traced = function.traced(shapes["params"], shapes["inputs"].images)
    rows = {**along.tree(), layer: _shape((units,))}
    _, early, late = reference_stages(traced, layer, shapes, rows)
    return reference_work(early, late, masks)


@kept
def _fast_work(
    function: MaskedFunction,
    params: Shapes,
    inputs: Shapes,
    layer: str,
    units: int,
    fixed: Shapes,
    along: Shapes,
    counts: tuple[int, int, int],
    running: bool,
) -> Work:
    """Of counts of changes, bases and masks."""
    changes, bases, masks = counts
    shapes = {"params": params.tree(), "inputs": inputs.tree(), "fixed": fixed.tree()}
    traced = function.traced(shapes["params"], shapes["inputs"].images)
    change = {
        "units": _shape((1, changes), jnp.int32),
        "signs": _shape((1, changes)),
        "along": jax.tree.map(lambda each: _shape((1, *each.shape)), along.tree()),
    }
    base = _shape((units,), bool)
    parts = stages(traced, layer, {**shapes, "base": base, "change": change}, running=running)
    return fast_work(parts.early, parts.middle, parts.late, parts.change, bases, masks)


def _encoded(question: Question, at_once: int) -> Encoding:
    return encode(question.masks.astype(bool), at_once)


def _arguments(question: Question) -> dict[str, Any]:
    fixed: dict[str, Any] = {"held": dict(question.held)}
    if isinstance(question.values, np.ndarray):
        fixed["values"] = question.values
    if question.basis is not None:
        fixed["basis"] = question.basis
    return {"fixed": fixed, "along": dict(question.along)}


def _shape(shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype)
