"""All images of all units, chunk by chunk."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int, PyTree

from ..execution import Progress
from ._checks import check_finite
from ._program import Program
from ._result import Climbed
from ._starts import Starts


def climb(
    program: Program,
    params: PyTree,
    starts: Callable[[Int[np.ndarray, " rows"]], Starts],
    images: int,
    steps: int,
    place: str,
    progress: Progress,
) -> Climbed:
    """All images; the last chunk is filled up with the first of them.

    Args:
      program: the compiled programs.
      params: the network's parameters.
      starts: where images start, by their numbers.
      images: how many there are.
      steps: steps of ascent.
      place: network and layer, for messages.
      progress: called after every step with the steps done and the steps in all, of all images;
        never by two threads at once.

    Raises:
      InputError: an objective is not a number.
    """
    told = _Told(images * steps, progress)
    device = jnp.zeros(()).device

    def chunk(first: int) -> Climbed:
        rows = np.arange(first, first + program.images_of_chunk) % images
        kept = min(program.images_of_chunk, images - first)
        # The caller's default device is that of the caller's thread alone.
        with jax.default_device(device):
            climbed = _climb_together(
                program, params, starts(rows), steps, place, lambda: told.of(kept)
            )
        return Climbed(*(array[:kept] for array in climbed))

    with ThreadPoolExecutor(program.side_by_side) as pool:
        try:
            parts = list(pool.map(chunk, range(0, images, program.images_of_chunk)))
        except BaseException:
            told.stop()
            raise
    return Climbed(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


class _Told:
    """Adds up steps of several threads and tells of them; stops the threads where one failed."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._total, self._progress = total, progress
        self._done, self._stopped, self._lock = 0, False, threading.Lock()

    def of(self, steps: int) -> None:
        """So many steps are done.

        Raises:
          CancelledError: there is nobody left to climb for.
        """
        with self._lock:
            if self._stopped:
                raise CancelledError
            self._done += steps
            self._progress(self._done, self._total)

    def stop(self) -> None:
        """Let the next step of every thread be its last."""
        with self._lock:
            self._stopped = True


def _climb_together(
    program: Program,
    params: PyTree,
    starts: Starts,
    steps: int,
    place: str,
    report: Callable[[], None],
) -> Climbed:
    """One chunk.

    The steps are a loop in Python: XLA runs the gradients of convolutions up to five times as
    slowly in a compiled loop on CPUs, and a dispatch costs a tenth of a millisecond.
    """
    unit = jnp.asarray(starts.unit)
    state = program.start(starts.key, jnp.asarray(starts.image), jnp.asarray(starts.exact))
    ascent = np.empty((len(unit), steps), np.float32)
    for step in range(steps):
        state, value = program.step(params, state, unit, starts.key, jnp.int32(step))
        ascent[:, step] = value
        check_finite(ascent[:, step], starts.unit, f"before step {step}", place)
        report()
    image = jax.tree.map(np.asarray, program.finish(params, state, unit))
    check_finite(image.objective, starts.unit, f"after step {steps - 1}", place)
    return Climbed(ascent, *image)
