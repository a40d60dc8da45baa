"""Methods that evaluate masks, and what is kept of the logits."""

from __future__ import annotations

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Int32, PyTree

from .._programs import Shapes, kept
from ..execution import Images
from ..networks._function import MaskedFunction, Traced
from ..tracing import Program, has_convolutions, largest_array, multiply_adds
from ._question import Question, Resampling

if TYPE_CHECKING:
    from ._prefix import UpTo


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

    @property
    def total(self) -> int:
        """Multiply-adds of all masks."""
        return self.prefix + self.bases * self.base + self.masks * self.each


@dataclass(frozen=True, eq=False)
class Stages:
    """A network under masks, in the parts that are computed ever more often.

    Each takes what the one before it gives, then the arguments of all before.

    Attributes:
      constants: of parameters and fixed arguments alone.
      early: for every batch.
      middle: for every base mask; None where masks have none.
      late: for every few masks.
      change: the number of the argument of `late` that tells the masks, where only what depends on
        it is held once a mask.
      before: shapes of what a chunk's masks have changed so far, where they build on one another.
    """

    constants: Program
    early: Program
    middle: Program | None
    late: Program
    change: int | None = None
    before: PyTree = None


@dataclass(frozen=True)
class Method(abc.ABC):
    """How masks lie in the arguments of compiled functions, and what these compute.

    Attributes:
      at_once: masks that are evaluated together.
    """

    name: ClassVar[str]
    at_once: int

    @property
    def bases(self) -> int:
        """How many base masks there are."""
        return 0

    @classmethod
    @abc.abstractmethod
    def obstacle(cls, question: Question) -> str:
        """Why the method cannot be used; empty where it can."""

    @classmethod
    def work(cls, question: Question) -> Work:
        """The cost per image."""
        network = question.network
        laid_out = cls.lay_out(question, 1)
        image = jax.ShapeDtypeStruct(network.example.shape[1:], jnp.float32)
        partners = image if isinstance(question.values, Resampling) else None
        inputs = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct((1, *leaf.shape), leaf.dtype),
            question.inputs(Images(image, None, partners)),
        )
        shapes = (network.params, inputs, laid_out.arguments)
        return _work(
            *(question.function, question.layer.name, laid_out.method, len(question.masks)),
            *map(Shapes.of, shapes),
        )

    @classmethod
    @abc.abstractmethod
    def lay_out(cls, question: Question, at_once: int) -> LaidOut:
        """The masks as arguments, so many at once."""

    @abc.abstractmethod
    def stages(
        self, traced: Traced, layer: str, params: PyTree, inputs: Images, arguments: PyTree
    ) -> Stages:
        """The network under the masks that are evaluated together.

        Args:
          traced: the network for a batch's images.
          layer: the layer.
          params: shapes of the network's parameters.
          inputs: of a batch on one device.
          arguments: of the masks.
        """

    @abc.abstractmethod
    def evaluate(
        self,
        stages: Stages,
        known: tuple[PyTree, ...],
        arguments: PyTree,
        outcome: Callable[[Array], PyTree],
    ) -> PyTree:
        """Outcomes of all masks, `[rows, ...]`.

        Args:
          stages: the network.
          known: what `early` gives, then constants, parameters and fixed arguments.
          arguments: of the masks.
          outcome: what is kept of logits.
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


@kept
def _work(
    function: MaskedFunction | UpTo,
    layer: str,
    method: Method,
    masks: int,
    params: Shapes,
    inputs: Shapes,
    arguments: Shapes,
) -> Work:
    given = [each.tree() for each in (params, inputs, arguments)]
    stages = method.stages(function.traced(given[0], given[1].images), layer, *given)
    return Work(
        prefix=multiply_adds(stages.early),
        base=0 if stages.middle is None else multiply_adds(stages.middle),
        bases=method.bases,
        each=multiply_adds(stages.late),
        masks=masks,
        # Parameters that are reshaped for every mask are held once.
        largest=largest_array(stages.late, stages.change),
        dense=not has_convolutions(stages.late),
    )


def fixed_arguments(question: Question) -> dict[str, Any]:
    """What is the same for all masks: masks of other layers, values, directions."""
    fixed: dict[str, Any] = {"held": dict(question.held)}
    if isinstance(question.values, np.ndarray):
        fixed["values"] = question.values
    if question.basis is not None:
        fixed["basis"] = question.basis
    return fixed


def placed(
    masks: Float32[np.ndarray, "masks units"], position: Int32[np.ndarray, " masks"], rows: int
) -> Float32[np.ndarray, "rows units"]:
    """Masks in their rows; the others keep everything."""
    found = np.ones((rows, masks.shape[1]), np.float32)
    found[position] = masks
    return found


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
