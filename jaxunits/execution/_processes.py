"""Several processes of one run, each with its own share of the images."""

from __future__ import annotations

import jax
import numpy as np
from jax.experimental import multihost_utils


def share(pieces: list[int]) -> list[int]:
    """The pieces that are this process's to do."""
    return pieces[jax.process_index() :: jax.process_count()]


def agree(done: set[int], pieces: list[int]) -> set[int]:
    """The pieces that every process sees done, so that all divide the same rest."""
    if jax.process_count() == 1:
        return done
    flags = np.asarray([piece in done for piece in pieces])
    everywhere = np.atleast_1d(np.asarray(multihost_utils.process_allgather(flags)).all(axis=0))
    return {piece for number, piece in enumerate(pieces) if everywhere[number]}


def wait(name: str) -> None:
    """Wait until every process has come here."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)


def exchange(own: dict[int, bytes]) -> dict[int, bytes]:
    """Everybody's numbered contents, given to everybody."""
    if jax.process_count() == 1:
        return own
    starts = _gather(np.asarray(list(own), np.int32))
    lengths = _gather(np.asarray([len(content) for content in own.values()], np.int32))
    contents = _gather(np.frombuffer(b"".join(own.values()), np.uint8))
    everybody = {}
    for process in range(jax.process_count()):
        ends = np.cumsum(lengths[process])
        for start, end, length in zip(starts[process], ends, lengths[process], strict=True):
            everybody[int(start)] = contents[process][end - length : end].tobytes()
    return everybody


def _gather(values: np.ndarray) -> list[np.ndarray]:
    """One-dimensional arrays of any lengths, by process."""
    sizes = np.asarray(multihost_utils.process_allgather(np.int32(len(values)))).ravel()
    padded = np.zeros(int(sizes.max()), values.dtype)
    padded[: len(values)] = values
    gathered = np.asarray(multihost_utils.process_allgather(padded))
    return [row[:size] for row, size in zip(gathered, sizes, strict=True)]
