"""The network up to the first layer of a pass, computed once for all of its layers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from ..execution import Images, Look, LookEngine, Piece, Read, array_bytes, ranges
from ..networks._function import MaskedFunction, Traced
from ..tracing import Halves, multiply_adds
from ..tracing._split import cut
from ._program import choose
from ._question import Question, Resampling

# The share of a pass's multiply-adds that has to be saved: of the last three layers of VGG16 it is
# 42 %, of all its layers, the first of which are what costs, 1 %.
_WORTH = 0.05
# On the host, for the images of a piece.
_BYTES = 2**28


@dataclass(frozen=True)
class UpTo(Look):
    """A network in two, at the activations of a layer; equal for networks of equal builds.

    Attributes:
      function: the network.
      layer: the layer.
      image: the shape of an image.
    """

    function: MaskedFunction
    layer: str
    image: tuple[int, ...]

    def __call__(self, params: PyTree, inputs: Images, arguments: PyTree) -> list[Array]:
        """What the rest of the network reads of some images."""
        del arguments
        found = self.halves(params, inputs.images)[1].early(params, inputs.images)
        # Programs read float32, whatever they compute in.
        return [
            each.astype(jnp.float32) if jnp.issubdtype(each.dtype, jnp.floating) else each
            for each in found
        ]

    def traced(self, params: PyTree, images: Sequence[Any]) -> Traced:
        """The rest of the network, for what it reads of some images, or the shapes of that."""
        whole = jax.ShapeDtypeStruct((images[0].shape[0], *self.image), images[0].dtype)
        traced, halves = self.halves(params, whole)
        return dataclasses.replace(traced, program=halves.late)

    def shapes(self, params: PyTree, images: int) -> list[jax.ShapeDtypeStruct]:
        """Of what the rest reads of so many images."""
        whole = jax.ShapeDtypeStruct((images, *self.image), jnp.float32)
        read = self.halves(params, whole)[1].early.outputs
        return [jax.ShapeDtypeStruct(each.aval.shape, each.aval.dtype) for each in read]

    def halves(self, params: PyTree, images: Any) -> tuple[Traced, Halves]:
        """The whole network, and its two parts."""
        traced = self.function.traced(params, images)
        return traced, cut(traced.program, traced.value(self.layer), 1)


class SharedPrefix:
    """What the questions of a pass have in common.

    Attributes:
      up_to: the network in two, at the first layer.
      engine: computes what is before; None as long as nobody asked, or where it is not worth it.
    """

    def __init__(self, questions: Sequence[Question]) -> None:
        """Nothing is looked at before something is measured.

        Args:
          questions: of the layers, in the network's order.
        """
        first = questions[0]
        image = first.network.example.shape[1:]
        self.up_to = UpTo(first.network.function, first.layer.name, image)
        self.engine: LookEngine | None = None
        self._questions, self._looked = questions, False
        self._last: tuple[Piece, Piece] | None = None

    def where_worth(self, read: Read) -> SharedPrefix | None:
        """Itself, compiled; None where it saves little, or cannot be computed ahead."""
        if not self._looked:
            self._looked = True
            if self._can_be(read) and self._saved() > _WORTH:
                first, what = self._questions[0], f"the network up to layer {self.up_to.layer!r}"
                execution = first.carried_out
                self.engine = LookEngine(first.network, self.up_to, read, execution, what=what)
        return None if self.engine is None else self

    def leads(self, question: Question) -> bool:
        """Whether it computes what the others take, and counts it as its own."""
        return question.layer.name == self.up_to.layer

    def behind(self, piece: Piece, question: Question) -> Piece:
        """What the rest of the network reads of a piece.

        The first layer computes it; others too, if the piece is not the last that was looked at.
        """
        if self.engine is None:
            return piece
        if self.leads(question) or self._last is None or self._last[0] is not piece:
            parts = [part.found for part in self.engine.all_seen(piece)]
            images = [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]
            self._last = piece, Piece(piece.image, Images(images, piece.inputs.labels))
        return self._last[1]

    def _can_be(self, read: Read) -> bool:
        """Whether the layers are behind the cut, and what it gives is by image and not too much."""
        first, *others = self._questions
        params, carried_out = first.network.params, first.carried_out
        traced = first.network.function.traced(params, first.network.example)
        if (
            not others
            or carried_out.precision == "checked"
            or isinstance(first.values, Resampling)
            or not traced.sites[first.layer.name].readable
        ):
            return False
        late = self.up_to.halves(params, first.network.example)[1].late
        behind = {variable for each in late.equations for variable in each.outvars}
        one, two = (self.up_to.shapes(params, images) for images in (1, 2))
        most = max((stop - start for start, stop in ranges(read, carried_out)), default=0)
        return (
            all(behind.issuperset(traced.sites[each.layer.name].values) for each in others)
            and all(b.shape == (2, *a.shape[1:]) for a, b in zip(one, two, strict=True))
            # Pixels alone are standardized on the devices.
            and all(each.dtype != np.uint8 for each in one)
            and most * array_bytes(one) <= _BYTES
        )

    def _saved(self) -> float:
        """The share of all multiply-adds."""
        first, *others = self._questions
        early = self.up_to.halves(first.network.params, first.network.example)[1].early
        saved = len(others) * multiply_adds(early) / len(first.network.example)
        return saved / sum(choose(each).work.total for each in self._questions)
