"""Outcomes of a question over images: batches, memory that runs out, low precision checked."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float32, Int32

from .._errors import InputError
from ..data import Batch, Dataset, batches
from ..networks import Functional
from ._execution import Execution
from ._paths import Question
from ._program import Program, compile_program


class Answers(NamedTuple):
    """Outcomes of some images under every mask of a question.

    Attributes:
      labels: the images' classes.
      prediction: predicted classes.
      loss: cross-entropies in nats.
    """

    labels: Int32[np.ndarray, " images"]
    prediction: Int32[np.ndarray, "masks images"]
    loss: Float32[np.ndarray, "masks images"]


class Engine:
    """Answers one question over the images of a data set.

    Attributes:
      program: the compiled programs.
      compile_seconds: what compiling took.
      compilations: how many programs were compiled.
    """

    def __init__(
        self, network: Functional, question: Question, data: Dataset, execution: Execution
    ) -> None:
        """Compile.

        Raises:
          InputError: the path cannot serve, or memory is too small.
        """
        self._network = network
        self._question = question
        self._data = data
        self._execution = execution
        self.compile_seconds = 0.0
        self.compilations = 0
        self.program = self._compile(execution)
        self.first_batch_size = self.program.batch_size

    def attributes(self, repeated: float) -> dict[str, str | int | float]:
        """How the question is answered, as attributes of the result.

        Args:
          repeated: share of the images that were evaluated again in float32.
        """
        program = self.program
        return {
            "path": program.path.name,
            "path_reason": program.path.reason,
            "multiply_adds": str(program.work.total),
            "batch_size": program.batch_size,
            "masks_at_once": program.masks_at_once,
            "peak_bytes": program.peak,
            "programs": self.compilations,
            "repeated_share": repeated,
        }

    def take_repeated(self) -> int:
        """Images evaluated again since the last call."""
        return 0

    def answers(self, start: int, stop: int) -> Iterator[Answers]:
        """Outcomes of the images from `start` to `stop`, batch by batch, in order.

        Raises:
          InputError: a logit is not a number; image and mask are named.
        """
        position = start
        while position < stop:
            try:
                for answers in self._ahead(position, stop):
                    self._check_finite(answers.loss, position)
                    position += len(answers.labels)
                    yield answers
            except jax.errors.JaxRuntimeError as error:
                if "RESOURCE_EXHAUSTED" not in str(error):
                    raise
                self._shrink(error)

    def _ahead(self, start: int, stop: int) -> Iterator[Answers]:
        """Answers in order, the device already at work on the batch that follows."""
        program = self.program
        stream = batches(
            self._data, self._network.preprocessing, program.batch_size, start=start, stop=stop
        )
        waiting: tuple[Batch, Any] | None = None
        for batch in stream:
            started = (batch, program.run(batch))
            if waiting is not None:
                yield _answers(program, *waiting)
            waiting = started
        if waiting is not None:
            yield _answers(program, *waiting)

    def _compile(self, execution: Execution) -> Program:
        started = time.perf_counter()
        program = compile_program(self._network, self._question, execution, images=len(self._data))
        self.compile_seconds += time.perf_counter() - started
        self.compilations += 2
        return program

    def _shrink(self, error: Exception) -> None:
        """Halve the masks at once, or else the images, after a device ran out of memory."""
        masks, total = self.program.masks_at_once, self.program.batch_size
        images = total // len(self._execution.places)
        if masks == 1 and images == 1:
            raise InputError(
                f"the device ran out of memory with one image under one mask of layer "
                f"{self._question.layer.name!r}: free memory on it, or use another ({error})"
            ) from error
        smaller = (max(1, masks // 2), images) if masks > 1 else (1, images // 2)
        self.program = self._compile(
            dataclasses.replace(self._execution, masks_at_once=smaller[0], batch_size=smaller[1])
        )

    def _check_finite(self, loss: Float32[np.ndarray, "masks images"], first: int) -> None:
        wrong = np.argwhere(~np.isfinite(loss))
        if len(wrong) == 0:
            return
        row, image = wrong[0]
        layer = self._question.layer.name
        when = "without ablation" if row == 0 else f"under mask {row - 1} of layer {layer!r}"
        raise InputError(
            f"logits of image {first + image} of data {self._data.name!r} {when} are NaN or "
            f"infinite ({len(np.unique(wrong[:, 1]))} images of this batch): check the network and "
            "its preprocessing; larger activations than float32 holds are a common cause"
        )


def _answers(program: Program, batch: Batch, outcome: Any) -> Answers:
    valid = np.flatnonzero(batch.valid)
    prediction, loss = (np.asarray(part)[program.path.position][:, valid] for part in outcome)
    return Answers(batch.labels[valid], prediction, loss)
