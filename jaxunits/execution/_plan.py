"""The cost of a call, before it runs."""

from __future__ import annotations

import contextlib
import contextvars
import time
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax

from .._arguments import shown
from .._errors import InputError
from ._engine import Engine
from ._pieces import Piece, Read, pieces

# Steps of ascent that are timed, after as many that are not.
_STEPS = 4


@dataclass(frozen=True)
class Pass:
    """A pass over images that a call will make.

    Attributes:
      measured: what is measured.
      layers: of which layers; none if the network is measured as a whole.
      images: how many images are read.
      steps: steps per image.
      how: how it will be executed, as attributes of the result: `batch_size`, `peak_bytes`, for
        ablation `method`, `method_reason`, `multiply_adds`, `masks_at_once`.
      account: further lines about the cost.
      compile_seconds: what compiling took just now.
      batch_seconds: what a step of one batch took just now.
      read_seconds: estimate for reading all images, which runs in parallel.
    """

    measured: str
    layers: tuple[str, ...]
    images: int
    steps: int
    how: Mapping[str, Any]
    account: str
    compile_seconds: float
    batch_seconds: float
    read_seconds: float

    @classmethod
    def of(
        cls,
        settings: Mapping[str, Mapping[str, str]],
        engine: Engine,
        read: Read,
        first: First,
        batch_seconds: float,
        steps: int | None = None,
    ) -> Pass:
        """A pass of which a batch has been timed.

        Args:
          settings: by result, what its numbers depend on.
          engine: evaluates the images.
          read: reads them.
          first: the first of them.
          batch_seconds: what a step of one batch took.
          steps: that an image takes, where that is not the engine's number.
        """
        known = next(iter(settings.values()))
        layers = [each["layer"] for each in settings.values() if "layer" in each]
        return cls(
            measured=known["measured"].replace("_", " "),
            layers=tuple(dict.fromkeys(layers)),
            images=read.images,
            steps=steps or engine.steps,
            how=engine.attributes(),
            account=engine.account(),
            compile_seconds=engine.compile_seconds,
            batch_seconds=batch_seconds,
            read_seconds=first.image_seconds * read.images,
        )

    @property
    def batches(self) -> int:
        """How many batches there are."""
        return -(-self.images // int(self.how["batch_size"]))

    @property
    def run_seconds(self) -> float:
        """Estimate for all images, shared among the processes of this job."""
        looking = self.batches * self.steps * self.batch_seconds / jax.process_count()
        return max(looking, self.read_seconds / jax.process_count())

    def __str__(self) -> str:
        steps = f" of {self.steps:,} steps" if self.steps > 1 else ""
        images = f"{self.images:,} images{steps}, {self.how['batch_size']:,} at once"
        each = f"{self.batch_seconds:.3g} s per batch{' and step' if steps else ''}, measured"
        run = f"about {self.run_seconds:,.1f} s to run ({each})"
        lines = [
            f"{self.measured} of {', '.join(self.layers) or 'the network'}: {images}",
            *self.account.splitlines(),
            f"memory of a device: {self.how['peak_bytes'] / 2**20:,.1f} MiB at most",
            f"time: {self.compile_seconds:.1f} s to compile, {run}",
        ]
        return "\n  ".join(lines)


@dataclass(frozen=True)
class Plan:
    """What a call will cost.

    Attributes:
      passes: over the images, in order; none where everything is measured already.
    """

    passes: tuple[Pass, ...]

    @property
    def seconds(self) -> float:
        """Estimate for all passes; compiling, which has been done, left out."""
        return sum(each.run_seconds for each in self.passes)

    @property
    def peak_bytes(self) -> int:
        """The most that a device holds, as the compiler reports."""
        return max((int(each.how["peak_bytes"]) for each in self.passes), default=0)

    def __str__(self) -> str:
        passes = "\n".join(map(str, self.passes)) or "no image has to be read"
        total = f"\nabout {self.seconds:,.1f} s in {len(self.passes)} passes"
        return passes + (total if len(self.passes) > 1 else "")


def plan(function: Any, *args: Any, **kwargs: Any) -> Plan:
    """What a call of a measuring function will cost: compiled, and timed on its first batch.

    `ju.plan(ju.ablation.sweep, network, "conv3", data)` is the plan of
    `ju.ablation.sweep(network, "conv3", data)`. No file is written. If a second pass needs the
    result of a first one, the result of one batch stands in for it.

    Args:
      function: a function that measures, such as `ju.ablation.sweep` or `ju.measure`.
      *args: its arguments.
      **kwargs: its keyword arguments.

    Returns:
      What each pass costs, which prints as a table.

    Raises:
      InputError: as the function does.
    """
    if not callable(function) or isinstance(function, type | types.BuiltinFunctionType):
        raise InputError(
            f"function={shown(function)}: give a function that measures, such as ju.ablation.sweep"
        )
    passes: list[Pass] = []
    token = _trial.set(passes)
    try:
        with contextlib.suppress(Enough):
            function(*args, **kwargs)
    finally:
        _trial.reset(token)
    return Plan(tuple(passes))


class Enough(BaseException):
    """Raised where all that a plan needs is known."""


_trial: contextvars.ContextVar[list[Pass] | None] = contextvars.ContextVar("trial", default=None)


def trial() -> list[Pass] | None:
    """The passes of a plan so far, while one is made."""
    return _trial.get()


class First(NamedTuple):
    """The first images.

    Attributes:
      piece: the images.
      image_seconds: what reading one of those that follow took.
    """

    piece: Piece
    image_seconds: float


def first_batches(read: Read, images: int) -> First:
    """Read the first images, at most so many, and as many after them."""
    start = min(images, read.images - 1)
    (piece,) = pieces(read, [(0, start + 1 if start < images else start)])
    began = time.perf_counter()
    (after,) = pieces(read, [(start, min(start + images, read.images))])
    return First(piece, (time.perf_counter() - began) / len(after))


def timed(
    engine: Engine, piece: Piece, observe: Callable[[Iterator[Any]], Any]
) -> tuple[Any, float]:
    """What is kept of a piece, and the seconds of a step of one batch.

    Where images take several steps nothing is kept: a few steps are made.

    Args:
      engine: evaluates the images.
      piece: the images.
      observe: see `Measurement`.
    """
    if engine.steps > 1:
        return None, _step_seconds(engine, piece, observe)
    state, took = None, 0.0
    for _ in range(2):
        began = time.perf_counter()
        state = observe(engine.all_seen(piece))
        took = time.perf_counter() - began
    return state, took / -(-len(piece) // engine.batch_size)


def _step_seconds(engine: Engine, piece: Piece, observe: Callable[[Iterator[Any]], Any]) -> float:
    """Seconds of a step of one batch, of batches side by side."""
    moments = [time.perf_counter()]

    def report(images: int) -> None:
        # What was done is lost, of which the engine tells too.
        if images > 0:
            moments.append(time.perf_counter())
            if len(moments) > 2 * _STEPS:
                raise Enough

    engine.report = report
    with contextlib.suppress(Enough):
        observe(engine.all_seen(piece))
    later = moments[len(moments) // 2 :]
    return (later[-1] - later[0]) / max(1, len(later) - 1)
