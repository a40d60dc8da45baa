"""What a sweep will cost, before it runs."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Unpack

import jax
import numpy as np
from numpy.typing import ArrayLike

from .._arguments import from_options
from ..data import Dataset
from ..execution import Images
from ..networks import Classifier
from ..networks._checks import check_classifier
from ._execution import Execution, Options
from ._method import Work
from ._program import Program, compile_program
from ._question import Means, Resampling, Values, question_of
from ._reference import Reference


@dataclass(frozen=True)
class Plan:
    """What a sweep will cost.

    Attributes:
      layer: the layer.
      method: `"fast"` or `"reference"`.
      reason: why this one.
      masks: how many masks, the one without ablation included.
      images: how many images.
      work: multiply-adds for an image by this method.
      reference_work: multiply-adds for an image by the reference method.
      batch_size: images per batch, all devices together.
      masks_at_once: masks evaluated together.
      peak_bytes: what a device holds at most, by the compiler's account.
      compile_seconds: what compiling took just now.
      batch_seconds: what one batch took just now.
      seconds: estimate for all images.
    """

    layer: str
    method: str
    reason: str
    masks: int
    images: int
    work: Work
    reference_work: Work
    batch_size: int
    masks_at_once: int
    peak_bytes: int
    compile_seconds: float
    batch_seconds: float
    seconds: float

    def __str__(self) -> str:
        work, reference = self.work, self.reference_work
        plain = reference.prefix + reference.each
        return f"""\
layer {self.layer}: {self.masks:,} masks, {self.images:,} images
method: {self.method} ({self.reason})
multiply-adds per image:
  shared prefix       {_short(work.prefix)}
  a base mask         {_short(work.base)} ({work.bases} of them)
  behind, each mask   {_short(work.each)}
  all masks           {_short(work.total)}
plain passes: {work.total / plain:.2f}; on the reference path {reference.total / plain:.2f}
at once: {self.batch_size} images, {self.masks_at_once} masks
memory of a device: {self.peak_bytes / 2**20:,.0f} MiB at most
time: {self.compile_seconds:.1f} s to compile, about {self.seconds:,.1f} s to run
      ({self.batch_seconds:.3f} s per batch, measured)"""


def plan(
    network: Classifier,
    layer: str,
    data: Dataset,
    masks: ArrayLike | None = None,
    *,
    values: Values = "zero",
    reference: Dataset | None = None,
    seed: int = 0,
    other_masks: Mapping[str, ArrayLike] | None = None,
    **options: Unpack[Options],
) -> Plan:
    """What `sweep` will cost with the same arguments: compiled, and timed on one batch of noise.

    Args:
      network: as in `sweep`.
      layer: the layer.
      data: as in `sweep`; no image is read.
      masks: as in `sweep`.
      values: as in `sweep`; the pass for the means is not counted.
      reference: as in `sweep`.
      seed: as in `sweep`.
      other_masks: as in `sweep`.
      **options: as in `sweep`.

    Raises:
      InputError: as `sweep` does.
    """
    execution = from_options(Execution, options, plan)
    check_classifier(network)
    asked = question_of(
        network,
        layer,
        data,
        masks,
        values=values,
        reference=reference,
        seed=seed,
        other_masks=other_masks,
    )
    means = isinstance(asked.values, Means)
    zeros = np.zeros(asked.layer.units, np.float32)
    question = dataclasses.replace(asked, values=zeros) if means else asked
    started = time.perf_counter()
    pixels = question.read(network, data, execution).example.images.dtype
    program = compile_program(network, question, execution, images=len(data), pixels=pixels)
    compiled = time.perf_counter() - started
    batch_seconds = _time(program, resampled=isinstance(question.values, Resampling))
    return Plan(
        layer=layer,
        method=program.laid_out.method.name,
        reason=program.reason,
        masks=len(question.masks),
        images=len(data),
        work=program.work,
        reference_work=Reference.work(network, question),
        batch_size=program.batch_size,
        masks_at_once=program.masks_at_once,
        peak_bytes=program.peak,
        compile_seconds=compiled,
        batch_seconds=batch_seconds,
        seconds=batch_seconds * -(-len(data) // program.batch_size),
    )


def _time(program: Program, *, resampled: bool) -> float:
    """Seconds of one batch of noise, the second of two."""
    noise = np.random.default_rng(0).integers(0, 256, program.images.shape, np.uint8)
    images = noise.astype(program.images.dtype)
    batch = Images(images, np.zeros(len(images), np.int32), images if resampled else None)
    jax.block_until_ready(program.run(batch))
    started = time.perf_counter()
    jax.block_until_ready(program.run(batch))
    return time.perf_counter() - started


def _short(count: int) -> str:
    """A count with a unit: 1.2 M."""
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return str(count)
