"""The compiled programs of a sweep, within a budget of memory."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from .._errors import InputError
from .._programs import Shapes
from ..data import Batch
from ..networks import Classifier
from ._compiled import Build, compiled
from ._execution import Execution
from ._path import Path
from ._paths import Choice, choose, path_of
from ._question import Inputs, Question, Resampling
from ._sizes import batch_of, masks_at_once
from ._work import Work


@dataclass(frozen=True, eq=False)
class Program:
    """A question compiled for batches of one size.

    Attributes:
      path: how it is answered.
      reason: why so.
      work: what it costs.
      batch_size: images a batch, all devices together.
      masks_at_once: masks evaluated together.
      peak: bytes that a device holds at most, by the compiler's account.
      prepare: from a batch's inputs and the path's arguments to what all masks share.
      evaluate: from that, labels and the path's arguments to outcomes `[rows, images]`.
      arguments: the path's arguments, on the devices.
      images: a batch's images, with their places.
      shared_bytes: bytes of what all masks share of a batch, on a device.
      compilations: how many programs had to be compiled for it; none where an earlier call left
        them.
    """

    path: Path
    reason: str
    work: Work
    batch_size: int
    masks_at_once: int
    peak: int
    prepare: Callable[[Inputs, PyTree], PyTree]
    evaluate: Callable[[PyTree, Array, PyTree], PyTree]
    arguments: PyTree
    images: jax.ShapeDtypeStruct
    shared_bytes: int
    compilations: int

    def shared(self, batch: Batch, partners: Batch | None = None) -> tuple[PyTree, Array]:
        """What all masks share of a batch, and its labels, on the devices.

        Args:
          batch: the batch.
          partners: images whose activations ablated units give, where the question asks for them.
        """
        inputs = Inputs(batch.images, None if partners is None else partners.images)
        placed, labels = jax.device_put((inputs, batch.labels), self.images.sharding)
        return self.prepare(placed, self.arguments), labels

    def run(self, batch: Batch, partners: Batch | None = None) -> Any:
        """Outcomes of a batch under all masks, `[rows, images]`; the device is not waited for."""
        state, labels = self.shared(batch, partners)
        return self.evaluate(state, labels, self.arguments)


def compile_program(
    network: Classifier,
    question: Question,
    execution: Execution,
    *,
    images: int,
    dtype: Any = jnp.float32,
    margins: bool = False,
) -> Program:
    """Compile a question, with as many images and masks at once as the memory allows.

    Each device runs the same programs on batches of the same size, whatever the number of devices,
    so that outcomes do not depend on it. Programs serve later calls too, with other parameters,
    masks and values of the same shapes.

    Args:
      network: the network.
      question: the masks.
      execution: the settings.
      images: how many images there are.
      dtype: of activations and weights behind the images.
      margins: whether margins are wanted too.

    Raises:
      InputError: one image and one mask take more memory than allowed.
    """
    choice = choose(network, question, execution.path)
    batch = batch_of(execution, images)
    at_once = masks_at_once(execution, choice.work, batch, fast=choice.name == "fast")
    compilations: list[str] = []
    while True:
        program = _compile(
            network, question, choice, execution, batch, at_once, dtype, margins, compilations
        )
        if program.peak <= execution.budget:
            return program
        if at_once > 1:
            at_once = at_once // 2
        elif batch > 1:
            batch = batch // 2
        else:
            raise InputError(
                f"max_memory={execution.budget}: one image under one mask of layer "
                f"{question.layer.name!r} takes {program.peak:,} bytes on the device, parameters "
                "included; allow at least that"
            )


def _compile(
    network: Classifier,
    question: Question,
    choice: Choice,
    execution: Execution,
    batch: int,
    at_once: int,
    dtype: Any,
    margins: bool,
    compilations: list[str],
) -> Program:
    path = path_of(question, choice.name, at_once)
    build = Build(
        function=network.function,
        layer=question.layer.name,
        layout=path.layout,
        params=Shapes.of(network.params),
        arguments=Shapes.of(path.arguments),
        images=(batch, *network.example.shape[1:]),
        partners=isinstance(question.values, Resampling),
        dtype=jnp.dtype(dtype),
        margins=margins,
        devices=tuple(execution.places),
        compilations=compilations,
    )
    found = compiled(build)
    params, arguments = jax.device_put((network.params, path.arguments), found.everywhere)
    return Program(
        path=path,
        reason=choice.reason,
        work=choice.work,
        batch_size=found.images.shape[0],
        masks_at_once=at_once,
        peak=found.peak,
        prepare=functools.partial(found.prepare, params),
        evaluate=functools.partial(found.evaluate, params),
        arguments=arguments,
        images=found.images,
        shared_bytes=found.shared_bytes,
        compilations=len(compilations),
    )
