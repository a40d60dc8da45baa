"""The compiled program that looks at a batch, on all local devices."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

from .._programs import Shapes, kept
from ..data import Batch, Dataset, batches
from ..networks import Classifier
from ._seen import Look, Seen

_CPU_BATCH, _BATCH = 32, 256
# Batches at the devices at once: a CPU's cores are idle at times within the program of one.
_AT_ONCE = 2


@dataclass(frozen=True, eq=False)
class Pass:
    """A program for batches of one size.

    Attributes:
      network: the network.
      program: `(parameters, images, labels)` → what `look` gives, compiled.
      params: the network's parameters, on the devices.
      images: where a batch's images go.
      batch_size: images a batch, all devices together.
      compile_seconds: what compiling took.
    """

    network: Classifier
    program: Any
    params: PyTree
    images: NamedSharding
    batch_size: int
    compile_seconds: float

    def seen(self, data: Dataset, start: int, stop: int) -> Iterator[dict[str, Seen]]:
        """What is seen of each batch in order, the devices already at work on those that follow."""
        waiting: deque[Future[dict[str, Seen]]] = deque()
        order = threading.Lock()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for batch in batches(
                data, self.network.preprocessing, self.batch_size, start=start, stop=stop
            ):
                waiting.append(pool.submit(self._look, batch, start, order))
                start += int(batch.valid.sum())
                if len(waiting) > _AT_ONCE:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _look(self, batch: Batch, first: int, order: threading.Lock) -> dict[str, Seen]:
        """A batch's numbers on the host, without what was padded."""
        # Several devices have to meet programs in one order.
        with order:
            placed = jax.device_put((batch.images, batch.labels), self.images)
            found = self.program(self.params, *placed)
        images = int(batch.valid.sum())
        probability, layers = jax.tree.map(lambda leaf: np.asarray(leaf)[:images], found)
        index = np.arange(first, first + images)
        return {
            name: Seen(index, batch.labels[:images], probability, units)
            for name, units in layers.items()
        }


def compile_pass(network: Classifier, look: Look, batch_size: int | None) -> Pass:
    """Compile what looks at images, or take what an earlier call has left.

    Args:
      network: the network.
      look: what is read of it.
      batch_size: images a batch and device; by default 32 on CPUs and 256 elsewhere.
    """
    began = time.perf_counter()
    devices = jax.local_devices()
    size = batch_size or (_CPU_BATCH if devices[0].platform == "cpu" else _BATCH)
    total = size * len(devices)
    shape = (total, *network.preprocessing.size, network.preprocessing.channels)
    program, by_image, everywhere = _compiled(
        look, Shapes.of(network.params), shape, tuple(devices)
    )
    params = jax.device_put(network.params, everywhere)
    seconds = time.perf_counter() - began
    return Pass(network, program, params, by_image, total, seconds)


@kept
def _compiled(
    look: Look, params: Shapes, shape: tuple[int, ...], devices: tuple[jax.Device, ...]
) -> tuple[Any, NamedSharding, NamedSharding]:
    """The program for images of a shape, and where images and parameters go."""
    mesh = Mesh(np.asarray(devices), ("images",))
    none, share = PartitionSpec(), PartitionSpec("images")
    by_image, everywhere = NamedSharding(mesh, share), NamedSharding(mesh, none)
    run = jax.jit(
        jax.shard_map(
            look, mesh=mesh, in_specs=(none, share, share), out_specs=share, check_vma=False
        )
    )
    # Full float32 on accelerators too, whose default is less.
    with jax.default_matmul_precision("highest"):
        program = run.lower(
            params.tree(everywhere),
            jax.ShapeDtypeStruct(shape, np.float32, sharding=by_image),
            jax.ShapeDtypeStruct(shape[:1], np.int32, sharding=by_image),
        ).compile()
    return program, by_image, everywhere
