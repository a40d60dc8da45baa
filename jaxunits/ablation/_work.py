"""What a question costs on each path: multiply-adds for an image, and how large its arrays are."""

from __future__ import annotations

from dataclasses import dataclass

from ..tracing import Program
from ._cost import has_convolutions, largest_array, multiply_adds
from ._fast import Stages


@dataclass(frozen=True)
class Work:
    """The work of a question, for one image.

    Attributes:
      prefix: multiply-adds that all masks share.
      base: multiply-adds of a base mask; 0 on the reference path.
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


def fast_work(parts: Stages, bases: int, masks: int) -> Work:
    """The work of the fast path; its parts are for one image and one mask."""
    return Work(
        prefix=multiply_adds(parts.early),
        base=multiply_adds(parts.middle),
        bases=bases,
        each=multiply_adds(parts.late),
        masks=masks,
        # Parameters that are reshaped for every mask are held once.
        largest=largest_array(parts.late, parts.change),
        dense=not has_convolutions(parts.late),
    )


def reference_work(parts: tuple[Program, Program, Program], masks: int) -> Work:
    """The work of the reference path; its parts are for one image."""
    _, early, late = parts
    return Work(
        prefix=multiply_adds(early),
        base=0,
        bases=0,
        each=multiply_adds(late),
        masks=masks,
        largest=largest_array(late),
        dense=not has_convolutions(late),
    )
