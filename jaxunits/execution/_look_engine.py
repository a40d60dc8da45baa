"""Evaluates images by compiled programs on all devices, within a memory budget."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections import deque
from collections.abc import Generator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
from jaxtyping import PyTree

from .._errors import InputError
from .._programs import Shapes, kept
from ..data import Preprocessing
from ..networks import Classifier
from ._devices import (
    Places,
    along,
    array_bytes,
    bytes_held,
    cast,
    fitting,
    products,
    working_dtype,
)
from ._engine import Engine, Look, Seen
from ._execution import Execution
from ._pieces import Part, Piece, Read
from ._standardize import standardized

# Batches at the devices at once: a CPU's cores are idle at times within the program of one.
_AT_ONCE = 2


class Turns:
    """One thread after another hands programs to the devices, which have to meet them in one order.

    Once closed, nobody's turn comes any more.
    """

    def __init__(self) -> None:
        self._lock, self._closed = threading.Lock(), False

    def __enter__(self) -> None:
        """Wait for one's turn.

        Raises:
          CancelledError: nobody waits for what would be found.
        """
        self._lock.acquire()
        if self._closed:
            self._lock.release()
            raise CancelledError

    def __exit__(self, *_: object) -> None:
        """Let the next one in."""
        self._lock.release()

    def close(self) -> None:
        """Let nobody in any more."""
        self._closed = True


class LookEngine(Engine):
    """Evaluates images by one program on all devices; see `Engine`."""

    def __init__(
        self,
        network: Classifier,
        look: Look,
        read: Read,
        execution: Execution,
        *,
        arguments: PyTree = (),
        what: str,
    ) -> None:
        """Compile, for as many images at once as the memory allows.

        Args:
          network: the network.
          look: what is read of it.
          read: reads the images.
          execution: the execution options.
          arguments: further arrays that the look takes.
          what: what is looked at, for messages.

        Raises:
          InputError: one image takes more memory than allowed.
        """
        self._look, self._what, self._execution = look, what, execution
        self._arrays = network.params, arguments
        self._fit(
            Build(
                look,
                network.preprocessing,
                Shapes.of(network.params),
                Shapes.of(read.example),
                Shapes.of(arguments),
                execution.batch_of(read.images),
                tuple(execution.places),
                execution.precision,
            )
        )

    @property
    def batch_size(self) -> int:
        """Images per batch, all devices together."""
        return self._build.size * len(self._build.devices)

    def attributes(self) -> dict[str, str | int | float]:
        """How images are evaluated."""
        return {"batch_size": self.batch_size, "peak_bytes": self.program.peak}

    def shrink(self) -> None:
        """Halve the images at once."""
        if self._build.size == 1:
            raise InputError(
                f"the device ran out of memory with one image for {self._what}: free memory on it, "
                "or use another device"
            )
        self._fit(dataclasses.replace(self._build, size=self.even(self._build.size // 2)))

    def seen(self, piece: Piece) -> Generator[Seen]:
        """The outcomes of each batch in order, while the devices already work on the next ones."""
        if (inputs := _of_one(piece.inputs)) != self._build.inputs:
            self._fit(dataclasses.replace(self._build, inputs=inputs))
        waiting: deque[Future[Seen]] = deque()
        at_once = self.batches_at_once
        with ThreadPoolExecutor(at_once) as pool, contextlib.closing(Turns()) as turns:
            for part in piece.parts(self.batch_size):
                waiting.append(pool.submit(self._one, part, turns))
                if len(waiting) > at_once:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    @property
    def batches_at_once(self) -> int:
        """Batches at the devices at once."""
        return _AT_ONCE

    def even(self, size: int) -> int:
        """Images per device that are computed as exactly as more are, at most `size`."""
        return size

    def compiled(self, build: Build) -> Program:
        """The program for a batch."""
        return _compiled(build)

    def found(self, part: Part, turns: Turns) -> Any:
        """A batch's numbers on the host, without padding."""
        with turns:
            placed = jax.device_put(part.inputs, self.program.places.by_image)
            found = self.program.run(self.params, placed, self._placed)
        return self._look.settled(found, len(part.image))

    def _one(self, part: Part, turns: Turns) -> Seen:
        inputs = jax.tree.map(lambda leaf: leaf[: len(part.image)], part.inputs)
        return Seen(part.image, inputs, self.found(part, turns))

    def _fit(self, build: Build) -> None:
        """The programs of a build, or for fewer images at once if memory requires it."""
        began = time.perf_counter()
        budget = self._execution.budget
        program = self.compiled(build)
        while program.peak > budget:
            if build.size == 1:
                raise InputError(
                    f"max_memory={budget}: one image for {self._what} takes {program.peak:,} bytes "
                    "on the device, parameters included; allow at least that"
                )
            size = fitting(build.size, program.peak, program.fixed, budget)
            build = dataclasses.replace(build, size=self.even(size))
            program = self.compiled(build)
        self.program, self._build = program, build
        self.params, self._placed = jax.device_put(self._arrays, program.places.everywhere)
        self.compilations = len(build.compilations)
        self.compile_seconds += time.perf_counter() - began


@dataclass(frozen=True)
class Build:
    """All that a compiled program depends on.

    Attributes:
      look: what is read.
      preprocessing: what the network expects.
      params: shapes of the network's parameters.
      inputs: shapes of what is read of an image.
      arguments: shapes of further arrays.
      size: images of a device's batch.
      devices: where it runs.
      precision: as in `Execution`.
      compilations: the names of programs are added to it as they are compiled.
    """

    look: Any
    preprocessing: Preprocessing
    params: Shapes
    inputs: Shapes
    arguments: Shapes
    size: int
    devices: tuple[jax.Device, ...]
    precision: str
    compilations: list[str] = field(default_factory=list, compare=False)

    @property
    def places(self) -> Places:
        """The devices, which share the images."""
        return Places(self.devices)

    def given(self) -> tuple[PyTree, PyTree, PyTree]:
        """Shapes of the parameters, of the inputs of all devices and of the further arrays."""
        places, total = self.places, self.size * len(self.devices)
        inputs = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(
                (total, *leaf.shape), leaf.dtype, sharding=places.by_image
            ),
            self.inputs.tree(),
        )
        return self.params.tree(places.everywhere), inputs, self.arguments.tree(places.everywhere)


class Program(NamedTuple):
    """A compiled program.

    Attributes:
      run: from parameters, inputs of all devices and further arrays to what is seen; where that
        takes several programs, these.
      places: where they go.
      peak: bytes that a device holds at most.
      fixed: bytes of them that do not depend on how many images there are at once.
    """

    run: Any
    places: Places
    peak: int
    fixed: int


@kept
def _compiled(build: Build) -> Program:
    """Compile a look."""
    places, dtype = build.places, working_dtype(build.precision)

    def look(params: PyTree, inputs: Any, arguments: PyTree) -> PyTree:
        read = cast(standardized(inputs, build.preprocessing), dtype)
        return build.look(cast(params, dtype), read, arguments)

    given = build.given()
    own = dataclasses.replace(build, devices=build.devices[:1]).given()
    with products(build.precision):
        found = jax.eval_shape(look, *own)
        shared = places.shared(
            look,
            (False, True, False),
            jax.tree.map(lambda leaf: along(build.look.axis % leaf.ndim), found),
        )
        run = shared.lower(*given).compile()
    build.compilations.append("look")
    return Program(run, places, bytes_held(run), array_bytes((given[0], given[2])))


def _of_one(inputs: Any) -> Shapes:
    """Shapes of what is read of an image."""
    return Shapes.of(
        jax.tree.map(lambda each: jax.ShapeDtypeStruct(each.shape[1:], each.dtype), inputs)
    )
