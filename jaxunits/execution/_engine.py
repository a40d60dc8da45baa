"""Engines that evaluate images batch by batch, with less at once if memory runs out."""

from __future__ import annotations

import abc
import contextlib
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import numpy as np
from jaxtyping import Int, PyTree

from ._devices import ran_out
from ._pieces import Piece


class Seen(NamedTuple):
    """What was computed for some images.

    Attributes:
      image: the images, as indices into the data set.
      inputs: what was read for them.
      found: what the network returned.
    """

    image: Int[np.ndarray, " images"]
    inputs: Any
    found: Any


def _nobody(steps: int) -> None:
    """Ignores progress."""


class Engine(abc.ABC):
    """Evaluates images, batch by batch.

    Attributes:
      steps: steps per image.
      report: called with steps that are done, by several threads; of fewer than none where what was
        done is lost. `seen` tells of all but the last step of each image.
      compile_seconds: what compiling took.
      compilations: how many programs were compiled; none where an earlier call left them.
    """

    steps: int = 1
    report: Callable[[int], None] = staticmethod(_nobody)
    compile_seconds: float = 0.0
    compilations: int = 0

    @property
    @abc.abstractmethod
    def batch_size(self) -> int:
        """Images per batch, all devices together."""

    @abc.abstractmethod
    def attributes(self) -> Mapping[str, str | int | float]:
        """How it is executed, as attributes of the result."""

    def account(self) -> str:
        """Further lines about the cost, for people."""
        return ""

    @abc.abstractmethod
    def shrink(self) -> None:
        """Compute less at once.

        Raises:
          InputError: nothing is left to halve.
        """

    @abc.abstractmethod
    def seen(self, piece: Piece) -> Generator[Any]:
        """The outcomes of the images of a piece, in order; each has an `image`."""

    def all_seen(self, piece: Piece) -> Iterator[Any]:
        """The outcomes of a piece; if a device runs out of memory, with fewer images at once.

        Raises:
          InputError: memory is too small for one image.
        """
        while len(piece):
            try:
                with contextlib.closing(self.seen(piece)) as parts:
                    for part in parts:
                        self.report(len(part.image))
                        yield part
                        piece = piece.chosen(slice(len(part.image), None))
            except jax.errors.JaxRuntimeError as error:
                if not ran_out(error):
                    raise
                self.shrink()


@dataclass(frozen=True)
class Look:
    """What is read of a network: a function of arrays, equal where compiled programs may be shared.

    Attributes:
      axis: of images in what it finds: the first, 0, or the last, -1.
    """

    axis: ClassVar[int] = 0

    def __call__(self, params: PyTree, inputs: Any, arguments: PyTree) -> PyTree:
        """What is found of some images, for parameters, what is read of them and further arrays."""
        raise NotImplementedError

    def settled(self, found: PyTree, images: int) -> PyTree:
        """What is kept on the host of a batch, of its first images."""
        return jax.tree.map(lambda leaf: np.asarray(leaf)[:images], found)
