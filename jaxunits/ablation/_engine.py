"""Outcomes over images, with recovery from memory shortage and checks of low precision."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Generator, Iterator
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int, Int32

from .. import execution
from .._errors import InputError
from ..execution import Part, Piece, Read, check_finite
from ._program import Program, compile_program
from ._question import Question
from ._reference import Reference

# The bound on a margin's error, as a multiple of the largest error seen on a piece's first batch.
_SAFETY = 4


class Answers(NamedTuple):
    """Outcomes of some images under every mask of a question.

    Attributes:
      image: the images, as indices into the data set.
      labels: the images' classes.
      repeated: whether an image was evaluated again in float32.
      prediction: predicted classes.
      loss: cross-entropies in nats.
      margin: the largest logit minus the second largest; None where not requested.
    """

    image: Int[np.ndarray, " images"]
    labels: Int32[np.ndarray, " images"]
    repeated: Bool[np.ndarray, " images"]
    prediction: Int32[np.ndarray, "masks images"]
    loss: Float32[np.ndarray, "masks images"]
    margin: Float32[np.ndarray, "masks images"] | None = None


class Engine(execution.Engine):
    """Evaluates the masks over images; see `jaxunits.execution.Engine`.

    Attributes:
      question: the masks, and how many of them and of the images are evaluated at once.
      program: the compiled programs; in low precision where requested.
    """

    def __init__(self, question: Question, read: Read) -> None:
        """Compile.

        Args:
          question: the masks.
          read: reads the images.

        Raises:
          InputError: the method cannot be used, or memory is too small.
        """
        self.question, self._read = question, read
        self._checks = question.carried_out.precision == "checked"
        self._compile()
        prefix = question.prefix
        if prefix is not None and prefix.engine is not None and prefix.leads(question):
            self.compilations += prefix.engine.compilations
            self.compile_seconds += prefix.engine.compile_seconds

    @property
    def batch_size(self) -> int:
        """Images per batch, all devices together."""
        return self.program.batch_size

    def attributes(self) -> dict[str, str | int | float]:
        """How the masks are evaluated, as attributes of the result."""
        program = self.program
        return {
            "method": program.laid_out.method.name,
            "method_reason": program.choice.reason,
            "multiply_adds": str(program.choice.work.total),
            "batch_size": program.batch_size,
            "masks_at_once": program.masks_at_once,
            "peak_bytes": program.compiled.peak + (self._full.compiled.peak if self._checks else 0),
        }

    def account(self) -> str:
        """The method with its multiply-adds."""
        program = self.program
        work = program.choice.work
        whole = Reference.work(dataclasses.replace(self.question, prefix=None))
        plain = whole.prefix + whole.each
        return f"""\
method: {program.laid_out.method.name} ({program.choice.reason})
multiply-adds per image:
  shared prefix       {_short(work.prefix)}
  each base mask      {_short(work.base)} ({work.bases} of them)
  suffix, each mask   {_short(work.each)}
  {f"all {work.masks:,} masks":<20}{_short(work.total)}
plain passes: {work.total / plain:.2f}; by the reference method {whole.total / plain:.2f}
{program.masks_at_once} masks at once"""

    def seen(self, piece: Piece) -> Generator[Answers]:
        """Outcomes of the images of a piece.

        Raises:
          InputError: a logit is not a number; image and mask are named.
        """
        if self.question.prefix is not None:
            piece = self.question.prefix.behind(piece, self.question)
        for part in self._checked(piece) if self._checks else _run(self.program, piece):
            self._check_finite(part)
            yield part

    def shrink(self) -> None:
        """Halve the masks at once, or else the images.

        Raises:
          InputError: nothing is left to halve.
        """
        masks, total = self.program.masks_at_once, self.program.batch_size
        images = total // len(self.question.carried_out.places)
        if masks == 1 and images == 1:
            raise InputError(
                "the device ran out of memory with one image under one mask of layer "
                f"{self.question.layer.name!r}: free memory on it, or use another device"
            )
        smaller = (max(1, masks // 2), images) if masks > 1 else (1, images // 2)
        carried_out = dataclasses.replace(
            self.question.carried_out, masks_at_once=smaller[0], batch_size=smaller[1]
        )
        self.question = dataclasses.replace(self.question, carried_out=carried_out)
        self._compile()

    def _checked(self, piece: Piece) -> Iterator[Answers]:
        """Low precision where margins are beyond the error bound, float32 for the other images.

        The bound is measured on the first batch, under every mask, and doubled where an image that
        is repeated later exceeds it. Outcomes come at the end, so that nothing is counted twice.
        """
        size = self.program.batch_size
        first, rest = piece.chosen(slice(size)), piece.chosen(slice(size, None))
        full = _all(self._full, first, repeated=True)
        if not len(rest):
            yield full
            return
        bound = _SAFETY * _margin_error(_all(self.program, first), full)
        low = _all(self.program, rest)
        while True:
            close = np.logical_or.reduce(_margin(low) <= bound)
            again = [_all(self._full, rest.chosen(close), repeated=True)] if close.any() else []
            error = max((_margin_error(_chosen(low, close), each) for each in again), default=0.0)
            if error <= bound:
                break
            bound = 2 * error
        yield from [full, *again, _chosen(low, ~close)]

    def _compile(self) -> None:
        started = time.perf_counter()

        def compiled(precision: str) -> Program:
            program = compile_program(
                self.question, self._read, precision=precision, margins=self._checks
            )
            self.compilations += len(program.build.compilations)
            return program

        self.program = compiled("bfloat16" if self._checks else self.question.carried_out.precision)
        self._full = compiled("float32") if self._checks else self.program
        self.compile_seconds += time.perf_counter() - started

    def _check_finite(self, part: Answers) -> None:
        for row in np.flatnonzero(~np.isfinite(part.loss).all(1))[:1]:
            layer, chosen = self.question.layer.name, self.question.chosen
            image = part.image if chosen is None else chosen[part.image]
            when = f"under mask {row - 1} of layer {layer!r}" if row else "without ablation"
            check_finite(part.loss[row], image, f"a logit {when}", self.question.data.name)


def _run(program: Program, piece: Piece, *, repeated: bool = False) -> Iterator[Answers]:
    """Outcomes in order, while the device already works on the next batch."""
    waiting: tuple[Part, Any] | None = None
    for part in piece.parts(program.batch_size):
        ready = part, program.run(part.inputs)
        if waiting is not None:
            yield _answers(program, *waiting, repeated)
        waiting = ready
    if waiting is not None:
        yield _answers(program, *waiting, repeated)


def _answers(program: Program, part: Part, outcome: Any, repeated: bool) -> Answers:
    """The outcomes of a batch, for which the device is waited."""
    images = len(part.image)
    rows = (np.asarray(each)[program.laid_out.position][:, :images] for each in outcome)
    return Answers(part.image, part.inputs.labels[:images], np.full(images, repeated), *rows)


def _all(program: Program, piece: Piece, *, repeated: bool = False) -> Answers:
    parts = _run(program, piece, repeated=repeated)
    return Answers(*(np.concatenate(arrays, axis=-1) for arrays in zip(*parts, strict=True)))


def _chosen(answers: Answers, images: np.ndarray) -> Answers:
    return Answers(*(array[..., images] for array in answers if array is not None))


def _margin(answers: Answers) -> Float32[np.ndarray, "masks images"]:
    if answers.margin is None:
        raise ValueError("these outcomes were compiled without margins")
    return answers.margin


def _margin_error(low: Answers, full: Answers) -> float:
    """The largest error of a margin: what lies between two winners counts from one to the other."""
    near, exact = _margin(low), _margin(full)
    same = low.prediction == full.prediction
    return float(np.where(same, np.abs(near - exact), near + exact).max(initial=0.0))


def _short(count: int) -> str:
    """A count with a metric prefix: 1.2 M."""
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return str(count)
