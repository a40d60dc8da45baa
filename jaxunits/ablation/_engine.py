"""Outcomes of a question over images: batches, memory that runs out, low precision checked."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float32, Int, Int32

from .._errors import InputError
from ..data import Batch, Dataset, Preprocessing, batches, subset
from ..networks import Classifier
from ._execution import Execution
from ._program import Program, compile_program
from ._question import Question

# The bound on a margin's error, as a multiple of the largest error seen on a piece's first batch.
_SAFETY = 4


class Answers(NamedTuple):
    """Outcomes of some images under every mask of a question.

    Attributes:
      image: the images, as indices into the data set.
      labels: the images' classes.
      prediction: predicted classes.
      loss: cross-entropies in nats.
      margin: the largest logit less the second largest; None where nobody asked.
    """

    image: Int[np.ndarray, " images"]
    labels: Int32[np.ndarray, " images"]
    prediction: Int32[np.ndarray, "masks images"]
    loss: Float32[np.ndarray, "masks images"]
    margin: Float32[np.ndarray, "masks images"] | None = None


class Engine:
    """Answers one question over the images of a data set.

    Attributes:
      question: the masks.
      execution: how it is carried out.
      program: the compiled programs; in low precision where that is asked for.
      compile_seconds: what compiling took.
      compilations: how many programs were compiled; none where an earlier call left them.
      repeated: images evaluated again in float32.
    """

    def __init__(
        self, network: Classifier, question: Question, data: Dataset, execution: Execution
    ) -> None:
        """Compile.

        Raises:
          InputError: the path cannot serve, or memory is too small.
        """
        self._network = network
        self.question = question
        self._data = data
        self._inputs = question.inputs(data)
        self.execution = execution
        self.compile_seconds = 0.0
        self.compilations = 0
        self.repeated = 0
        self._compile(execution)
        self.first_batch_size = self.program.batch_size

    def attributes(self) -> dict[str, str | int | float]:
        """How the question is answered, as attributes of the result."""
        program = self.program
        return {
            "path": program.path.name,
            "path_reason": program.reason,
            "multiply_adds": str(program.work.total),
            "batch_size": program.batch_size,
            "masks_at_once": program.masks_at_once,
            "peak_bytes": program.peak + (self._full.peak if self._checks else 0),
        }

    def answers(self, start: int, stop: int) -> Iterator[Answers]:
        """Outcomes of the images from `start` to `stop`, batch by batch.

        Raises:
          InputError: a logit is not a number; image and mask are named.
        """
        position = start
        while position < stop:
            try:
                parts = self._checked if self._checks else self._plain
                for part in parts(position, stop):
                    self._check_finite(part)
                    yield part
                    position += len(part.labels)
            except jax.errors.JaxRuntimeError as error:
                self.shrink(error)

    def _plain(self, start: int, stop: int) -> Iterator[Answers]:
        return _run(self.program, self._stream(self.program, start, stop), start)

    def _checked(self, start: int, stop: int) -> Iterator[Answers]:
        """Low precision where margins are beyond the error bound, float32 for the other images.

        The bound is measured on the first batch, under every mask, and doubled where an image that
        is repeated later exceeds it. Everything comes at the end, so that nothing is counted twice.
        """
        first = min(start + self.program.batch_size, stop)
        full = self._all(self._full, start, first)
        if first == stop:
            self.repeated += len(full.labels)
            yield full
            return
        bound = _SAFETY * _margin_error(self._all(self.program, start, first), full)
        low = self._all(self.program, first, stop)
        while True:
            close = np.logical_or.reduce(_margin(low) <= bound)
            again = self._repeat(low, close)
            error = _margin_error(_chosen(low, close), again) if again else 0.0
            if error <= bound:
                break
            bound = 2 * error
        self.repeated += len(full.labels) + int(close.sum())
        yield from [full, *([again] if again else []), _chosen(low, ~close)]

    def _all(self, program: Program, start: int, stop: int) -> Answers:
        return _joined(list(_run(program, self._stream(program, start, stop), start)))

    def _repeat(self, low: Answers, close: np.ndarray) -> Answers | None:
        if not close.any():
            return None
        index = low.image[close]
        parts = (subset(data, index) for data in self._inputs)
        stream = together(parts, self._network.preprocessing, self._full.batch_size)
        return _joined(list(_run(self._full, stream, 0)))._replace(image=index)

    def _stream(self, program: Program, start: int, stop: int) -> Iterator[tuple[Batch, ...]]:
        size = program.batch_size
        return together(self._inputs, self._network.preprocessing, size, start=start, stop=stop)

    @property
    def _checks(self) -> bool:
        return self.execution.precision == "checked"

    def _compile(self, execution: Execution) -> None:
        started = time.perf_counter()
        dtype = jnp.float32 if execution.precision == "float32" else jnp.bfloat16

        def compiled(dtype: Any) -> Program:
            program = compile_program(
                self._network,
                self.question,
                execution,
                images=len(self._data),
                dtype=dtype,
                margins=self._checks,
            )
            self.compilations += program.compilations
            return program

        self.program = compiled(dtype)
        self._full = compiled(jnp.float32) if self._checks else self.program
        self.compile_seconds += time.perf_counter() - started

    def shrink(self, error: jax.errors.JaxRuntimeError) -> None:
        """Halve the masks at once, or else the images, after a device ran out of memory.

        Raises:
          JaxRuntimeError: the error was another one.
          InputError: nothing is left to halve.
        """
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise error
        masks, total = self.program.masks_at_once, self.program.batch_size
        images = total // len(self.execution.places)
        if masks == 1 and images == 1:
            raise InputError(
                f"the device ran out of memory with one image under one mask of layer "
                f"{self.question.layer.name!r}: free memory on it, or use another ({error})"
            ) from error
        smaller = (max(1, masks // 2), images) if masks > 1 else (1, images // 2)
        self._compile(
            dataclasses.replace(self.execution, masks_at_once=smaller[0], batch_size=smaller[1])
        )

    def _check_finite(self, part: Answers) -> None:
        wrong = np.argwhere(~np.isfinite(part.loss))
        if len(wrong) == 0:
            return
        row, image = wrong[0]
        layer = self.question.layer.name
        when = "without ablation" if row == 0 else f"under mask {row - 1} of layer {layer!r}"
        raise InputError(
            f"logits of image {part.image[image]} of data {self._data.name!r} {when} are NaN or "
            f"infinite ({len(np.unique(wrong[:, 1]))} images of this batch): check the network and "
            "its preprocessing; larger activations than float32 holds are a common cause"
        )


def together(
    inputs: Iterable[Dataset], preprocessing: Preprocessing, batch_size: int, **which: int
) -> Iterator[tuple[Batch, ...]]:
    """Batches of several data sets, one of each at a time."""
    streams = [batches(data, preprocessing, batch_size, **which) for data in inputs]
    return zip(*streams, strict=True)


def _run(program: Program, stream: Iterator[tuple[Batch, ...]], first: int) -> Iterator[Answers]:
    """Answers in order, the device already at work on the batch that follows."""
    waiting: Callable[[], Answers] | None = None
    for batch, *partners in stream:
        ready = _pending(program, batch, program.run(batch, *partners), first)
        first += int(batch.valid.sum())
        if waiting is not None:
            yield waiting()
        waiting = ready
    if waiting is not None:
        yield waiting()


def _pending(program: Program, batch: Batch, outcome: Any, first: int) -> Callable[[], Answers]:
    """A function that waits for the device and gives the answers of a batch."""

    def answers() -> Answers:
        valid = np.flatnonzero(batch.valid)
        rows = (np.asarray(part)[program.path.position][:, valid] for part in outcome)
        return Answers(first + valid, batch.labels[valid], *rows)

    return answers


def _joined(parts: list[Answers]) -> Answers:
    return Answers(*(np.concatenate(arrays, axis=-1) for arrays in zip(*parts, strict=True)))


def _chosen(answers: Answers, images: np.ndarray) -> Answers:
    return Answers(*(array[..., images] for array in answers if array is not None))


def _margin(answers: Answers) -> Float32[np.ndarray, "masks images"]:
    if answers.margin is None:
        raise ValueError("these answers were compiled without margins")
    return answers.margin


def _margin_error(low: Answers, full: Answers) -> float:
    """The largest error of a margin: what lies between two winners counts from one to the other."""
    near, exact = _margin(low), _margin(full)
    same = low.prediction == full.prediction
    return float(np.where(same, np.abs(near - exact), near + exact).max(initial=0.0))
