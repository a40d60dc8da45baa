"""What a question costs on each path: multiply-adds for an image, and how large its arrays are."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from ..networks import Functional, LinearStage, Network
from ._cost import largest_array, multiply_adds
from ._encoding import encode
from ._fast import Split, before_linear, run_linear, run_rest
from ._question import Question


@dataclass(frozen=True)
class Work:
    """The work of a question, for one image.

    Attributes:
      prefix: multiply-adds that all masks share.
      linear: multiply-adds of the affine stage behind the layer, evaluated once; 0 on the reference
        path.
      update: multiply-adds of a mask's contributions to it.
      rest: multiply-adds of a mask behind it.
      masks: how many masks there are.
      largest: bytes of the largest array that is held once a mask.
      dense: whether no maps are left behind the affine stage.
    """

    prefix: int
    linear: int
    update: int
    rest: int
    masks: int
    largest: int
    dense: bool

    @property
    def total(self) -> int:
        """Multiply-adds of all masks."""
        return self.prefix + self.linear + self.masks * (self.update + self.rest)


def work_of(network: Functional, question: Question, cut: Split | None) -> Work:
    """The work of a question on the path that a cut stands for."""
    size, channels = network.preprocessing.size, network.preprocessing.channels
    image = jax.ShapeDtypeStruct((1, *size, channels), jnp.float32)
    return (
        _reference(network, question, image)
        if cut is None
        else _fast(network, question, cut, image)
    )


def _reference(network: Functional, question: Question, image: Any) -> Work:
    def whole(params: PyTree, image: Any) -> Any:
        return network.apply(params, image, {}, {})

    everything = multiply_adds(whole, network.params, image)
    prefix = 0
    if network.activations is not None:
        activations, name = network.activations, question.layer.name
        prefix = multiply_adds(lambda p, x: activations(p, x, name), network.params, image)
    return Work(
        prefix=prefix,
        linear=0,
        update=0,
        rest=everything - prefix,
        masks=len(question.masks),
        largest=largest_array(whole, network.params, image),
        dense=False,
    )


def _fast(network: Functional, question: Question, cut: Split, image: Any) -> Work:
    assemble = cast(Callable[[PyTree], Network], network.assemble)

    def stage(params: PyTree) -> LinearStage:
        return cast(LinearStage, assemble(params).stages[cut.linear])

    def prefix(params: PyTree, image: Any) -> Any:
        return before_linear(assemble(params), cut, image, {})

    def linear(params: PyTree, state: Any) -> Any:
        return run_linear(stage(params), cut, state)

    def rest(params: PyTree, pre: Any) -> Any:
        return run_rest(assemble(params), stage(params), cut, pre, {})

    params = network.params
    state = jax.eval_shape(prefix, params, image)
    pre = jax.eval_shape(linear, params, state)
    encoding = encode(question.masks.astype(bool), 1)
    whole = encoding.units.shape[1] == 1 and len(encoding.bases) == len(question.masks) > 2
    changes = question.layer.units if whole else encoding.changes
    once = multiply_adds(linear, params, state)
    return Work(
        prefix=multiply_adds(prefix, params, image),
        linear=once,
        update=once * changes // question.layer.units,
        rest=multiply_adds(rest, params, pre),
        masks=len(question.masks),
        largest=max(
            *(math.prod(leaf.shape) * 4 for leaf in jax.tree.leaves(pre)),
            largest_array(rest, params, pre),
        ),
        dense=all(leaf.ndim == 2 for leaf in jax.tree.leaves(pre)),
    )
