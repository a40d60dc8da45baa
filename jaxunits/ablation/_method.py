"""Methods that evaluate masks, and what is kept of the logits."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Int32, PyTree

from .._programs import Shapes
from ..networks import Classifier
from ..networks._function import MaskedFunction, Traced
from ..tracing import Program, has_convolutions, largest_array, multiply_adds
from ._question import Inputs, Question, Resampling


@dataclass(frozen=True)
class Work:
    """The work per image of evaluating the masks.

    Attributes:
      prefix: multiply-adds that all masks share.
      base: multiply-adds of a base mask; 0 for the reference method.
      bases: how many base masks there are.
      each: multiply-adds of a mask.
      masks: how many masks there are.
      largest: bytes of the largest array that is held once a mask.
      dense: whether no convolution is evaluated for a mask.
    """

    prefix: int
    base: int
    bases: int
    each: int
    masks: int
    largest: int
    dense: bool

    @classmethod
    def of(
        cls,
        early: Program,
        late: Program,
        masks: int,
        *,
        changes: int | None = None,
        base: int = 0,
        bases: int = 0,
    ) -> Work:
        """Of programs for one image.

        Args:
          early: what all masks share.
          late: what every mask needs, of one mask.
          masks: how many there are.
          changes: the argument of `late` that tells the mask, where only what depends on it is held
            once a mask.
          base: multiply-adds of a base mask.
          bases: how many of these there are.
        """
        return cls(
            prefix=multiply_adds(early),
            base=base,
            bases=bases,
            each=multiply_adds(late),
            masks=masks,
            largest=largest_array(late, changes),
            dense=not has_convolutions(late),
        )

    @property
    def total(self) -> int:
        """Multiply-adds of all masks."""
        return self.prefix + self.bases * self.base + self.masks * self.each


class Functions(NamedTuple):
    """What a method computes, for arguments and images of some shapes.

    Attributes:
      constants: `(params, arguments) → constants`, what all batches share.
      prepare: `(constants, params, inputs, arguments) → state`, what all masks share.
      evaluate: `(constants, params, state, arguments, outcome) → outcomes`, `[rows, ...]`.
    """

    constants: Callable[[PyTree, PyTree], PyTree]
    prepare: Callable[[PyTree, PyTree, Inputs, PyTree], PyTree]
    evaluate: Callable[[PyTree, PyTree, PyTree, PyTree, Callable[[Array], PyTree]], PyTree]


@dataclass(frozen=True)
class Method(abc.ABC):
    """How masks lie in the arguments of compiled functions, and what these compute.

    Attributes:
      at_once: masks that are evaluated together.
    """

    name: ClassVar[str]
    at_once: int

    @classmethod
    @abc.abstractmethod
    def obstacle(cls, network: Classifier, question: Question) -> str:
        """Why the method cannot be used; empty where it can."""

    @classmethod
    @abc.abstractmethod
    def work(cls, network: Classifier, question: Question) -> Work:
        """The cost per image."""

    @classmethod
    @abc.abstractmethod
    def lay_out(cls, question: Question, at_once: int) -> LaidOut:
        """The masks as arguments, so many at once."""

    @abc.abstractmethod
    def functions(self, traced: Traced, layer: str, shapes: Mapping[str, Any]) -> Functions:
        """What is computed.

        Args:
          traced: the network for a batch's images.
          layer: the layer.
          shapes: of `params`, a batch's `inputs` on one device, and the `arguments`.
        """

    @abc.abstractmethod
    def from_base(self, arguments: PyTree, kept: Float32[np.ndarray, " units"]) -> PyTree:
        """The arguments of single units, with other units ablated before them."""


@dataclass(frozen=True, eq=False)
class LaidOut:
    """The masks of a question as a method evaluates them.

    Attributes:
      method: how they lie in the arguments.
      arguments: arrays that the masks consist of.
      position: the row of each mask.
    """

    method: Method
    arguments: PyTree
    position: Int32[np.ndarray, " masks"]


class Case(NamedTuple):
    """All that the work of a question depends on, its masks apart.

    Attributes:
      function: the network.
      layer: the layer.
      units: how many it has.
      params: shapes of the network's parameters.
      inputs: of one image.
      fixed: of what is the same for all masks.
      along: of one mask of each other layer that goes along.
    """

    function: MaskedFunction
    layer: str
    units: int
    params: Shapes
    inputs: Shapes
    fixed: Shapes
    along: Shapes

    @classmethod
    def of(cls, network: Classifier, question: Question) -> Case:
        """Of a question."""
        image = jax.ShapeDtypeStruct((1, *network.example.shape[1:]), jnp.float32)
        partners = image if isinstance(question.values, Resampling) else None
        return cls(
            network.function,
            question.layer.name,
            question.layer.num_units,
            Shapes.of(network.params),
            Shapes.of(Inputs(image, partners)),
            Shapes.of(fixed_arguments(question)),
            Shapes.of({name: masks[0] for name, masks in question.along.items()}),
        )

    def traced(self) -> tuple[Traced, dict[str, Any]]:
        """The network for one image, and shapes of `params`, `inputs` and `fixed`."""
        shapes = {"params": self.params, "inputs": self.inputs, "fixed": self.fixed}
        trees = {name: each.tree() for name, each in shapes.items()}
        return self.function.traced(trees["params"], trees["inputs"].images), trees


def fixed_arguments(question: Question) -> dict[str, Any]:
    """What is the same for all masks: masks of other layers, values, directions."""
    fixed: dict[str, Any] = {"held": dict(question.held)}
    if isinstance(question.values, np.ndarray):
        fixed["values"] = question.values
    if question.basis is not None:
        fixed["basis"] = question.basis
    return fixed


class Outcome(NamedTuple):
    """What is kept of the logits of one image under one mask.

    Attributes:
      prediction: the class with the largest logit; ties go to the first.
      loss: cross-entropy in nats.
      margin: the largest logit minus the second largest.
    """

    prediction: Int32[Array, "*masks images"]
    loss: Float32[Array, "*masks images"]
    margin: Float32[Array, "*masks images"]


def classify(logits: Float[Array, "images classes"], labels: Int32[Array, " images"]) -> Outcome:
    """Predicted class, cross-entropy and margin of each image."""
    logits = logits.astype(jnp.float32)
    classes = jax.lax.broadcasted_iota(jnp.int32, logits.shape, 1)
    largest = jnp.max(logits, axis=1)
    # Ties go to the first. XLA's argmax does the same and is five times as slow on CPUs.
    first = jnp.where(logits == largest[:, None], classes, logits.shape[1])
    prediction = jnp.min(first, axis=1)
    label = jnp.take_along_axis(logits, labels[:, None], axis=1)[:, 0]
    loss = jnp.log(jnp.exp(logits - largest[:, None]).sum(1)) - (label - largest)
    others = jnp.where(classes == prediction[:, None], -jnp.inf, logits)
    return Outcome(prediction, loss, largest - jnp.max(others, axis=1))
