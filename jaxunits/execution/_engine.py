"""What one program sees of images, batch by batch, within a budget of memory."""

from __future__ import annotations

import abc
import dataclasses
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import jax
import numpy as np
from jaxtyping import Int, PyTree

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
    ran_out,
    working_dtype,
)
from ._execution import Execution
from ._pieces import Part, Piece, Read
from ._standardise import standardised

# Batches at the devices at once: a CPU's cores are idle at times within the program of one.
_AT_ONCE = 2


class Seen(NamedTuple):
    """What was seen of some images.

    Attributes:
      image: which they are, as indices into the data set.
      inputs: what was read of them.
      found: what the network gave.
    """

    image: Int[np.ndarray, " images"]
    inputs: Any
    found: Any


class Engine(abc.ABC):
    """Looks at images, batch by batch.

    Attributes:
      compile_seconds: what compiling took.
      compilations: how many programs were compiled; none where an earlier call left them.
    """

    compile_seconds: float = 0.0
    compilations: int = 0

    @property
    @abc.abstractmethod
    def batch_size(self) -> int:
        """Images a batch, all devices together."""

    @abc.abstractmethod
    def attributes(self) -> Mapping[str, str | int | float]:
        """How it is done, as attributes of the result."""

    @abc.abstractmethod
    def shrink(self) -> None:
        """Compute less at once.

        Raises:
          InputError: nothing is left to halve.
        """

    @abc.abstractmethod
    def seen(self, piece: Piece) -> Iterator[Any]:
        """What is seen of the images of a piece, in order; each has an `image`."""

    def all_seen(self, piece: Piece) -> Iterator[Any]:
        """What is seen of a piece; where a device runs out of memory, of fewer images at once.

        Raises:
          InputError: memory is too small for one image.
        """
        while len(piece):
            try:
                for part in self.seen(piece):
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


class LookEngine(Engine):
    """Looks at images by one program on all devices; see `Engine`."""

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
          execution: how it is carried out.
          arguments: further arrays that the look takes.
          what: what is looked at, for messages.

        Raises:
          InputError: one image takes more memory than allowed.
        """
        self._network, self._look, self._what = network, look, what
        self._inputs = Shapes.of(read.example)
        self._execution = execution
        self._arguments = arguments
        self._fit(execution.batch_of(read.images))

    @property
    def batch_size(self) -> int:
        """Images a batch, all devices together."""
        return self._size * len(self._execution.places)

    def attributes(self) -> dict[str, str | int | float]:
        """How images are looked at."""
        return {"batch_size": self.batch_size, "peak_bytes": self._program.peak}

    def shrink(self) -> None:
        """Halve the images at once."""
        if self._size == 1:
            raise InputError(
                f"the device ran out of memory with one image for {self._what}: free memory on it, "
                "or use another"
            )
        self._fit(self._size // 2)

    def seen(self, piece: Piece) -> Iterator[Seen]:
        """What is seen of each batch in order, the devices already at work on those that follow."""
        if (inputs := _of_one(piece.inputs)) != self._inputs:
            self._inputs = inputs
            self._fit(self._size)
        waiting: deque[Future[Seen]] = deque()
        order = threading.Lock()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for part in piece.parts(self.batch_size):
                waiting.append(pool.submit(self._one, part, order))
                if len(waiting) > _AT_ONCE:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _one(self, part: Part, order: threading.Lock) -> Seen:
        """A batch's numbers on the host, without what was filled up."""
        program = self._program
        # Several devices have to meet programs in one order.
        with order:
            placed = jax.device_put(part.inputs, program.places.by_image)
            found = program.run(self._params, placed, self._placed)
        images = len(part.image)
        inputs = jax.tree.map(lambda leaf: leaf[:images], part.inputs)
        return Seen(part.image, inputs, self._look.settled(found, images))

    def _fit(self, size: int) -> None:
        """The programs for so many images a device, or for fewer where memory asks for it."""
        began = time.perf_counter()
        compilations: list[str] = []
        build = _Build(
            self._look,
            self._network.preprocessing,
            Shapes.of(self._network.params),
            self._inputs,
            Shapes.of(self._arguments),
            size,
            tuple(self._execution.places),
            self._execution.precision,
            compilations,
        )
        budget = self._execution.budget
        program = _compiled(build)
        while program.peak > budget:
            if build.size == 1:
                raise InputError(
                    f"max_memory={budget}: one image for {self._what} takes {program.peak:,} bytes "
                    "on the device, parameters included; allow at least that"
                )
            build = dataclasses.replace(
                build, size=fitting(build.size, program.peak, program.fixed, budget)
            )
            program = _compiled(build)
        self._program = program
        self._size = build.size
        self._params, self._placed = jax.device_put(
            (self._network.params, self._arguments), program.places.everywhere
        )
        self.compilations += len(compilations)
        self.compile_seconds += time.perf_counter() - began


@dataclass(frozen=True)
class _Build:
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

    look: Look
    preprocessing: Preprocessing
    params: Shapes
    inputs: Shapes
    arguments: Shapes
    size: int
    devices: tuple[jax.Device, ...]
    precision: str
    compilations: list[str] = field(default_factory=list, compare=False)


class _Program(NamedTuple):
    """A compiled program.

    Attributes:
      run: from parameters, inputs of all devices and further arrays to what is seen.
      places: where they go.
      peak: bytes that a device holds at most.
      fixed: bytes of them that do not depend on how many images there are at once.
    """

    run: Callable[..., PyTree]
    places: Places
    peak: int
    fixed: int


@kept
def _compiled(build: _Build) -> _Program:
    """Compile a look."""
    places = Places(build.devices)
    total = build.size * len(build.devices)
    dtype = working_dtype(build.precision)

    def look(params: PyTree, inputs: Any, arguments: PyTree) -> PyTree:
        read = cast(standardised(inputs, build.preprocessing), dtype)
        return build.look(cast(params, dtype), read, arguments)

    def inputs(images: int, place: Any) -> PyTree:
        return jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct((images, *leaf.shape), leaf.dtype, sharding=place),
            build.inputs.tree(),
        )

    params, arguments = (
        shapes.tree(places.everywhere) for shapes in (build.params, build.arguments)
    )
    given = params, inputs(total, places.by_image), arguments
    with products(build.precision):
        own = build.params.tree(), inputs(build.size, None), build.arguments.tree()
        found = jax.eval_shape(look, *own)
        shared = places.shared(
            look,
            (False, True, False),
            jax.tree.map(lambda leaf: along(build.look.axis % leaf.ndim), found),
        )
        run = shared.lower(*given).compile()
    build.compilations.append("look")
    fixed = array_bytes((params, arguments))
    return _Program(run, places, bytes_held(run), fixed)


def _of_one(inputs: Any) -> Shapes:
    """Shapes of what is read of an image."""
    return Shapes.of(
        jax.tree.map(lambda each: jax.ShapeDtypeStruct(each.shape[1:], each.dtype), inputs)
    )
