"""Images read ahead in threads, through Grain."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import grain
import numpy as np
from jaxtyping import Shaped

from .._bounds import Range, check_numbers
from .._errors import InputError
from ._batch import Batch
from ._preparation import Arrays, Preparation


def in_order(images: int, start: int, stop: int | None) -> grain.MapDataset[int]:
    """The images from `start` to `stop`, or to the last."""
    return grain.MapDataset.range(images)[start:stop]


def shuffled(images: int, seed: int) -> grain.MapDataset[int]:
    """All images in an order that depends on the seed."""
    return grain.MapDataset.range(images).shuffle(seed=seed)


class Share(NamedTuple):
    """What one process reads.

    Attributes:
      indices: its images, in their order.
      rows: its rows of every batch.
      batches: how many batches there are, the same for every process.
    """

    indices: grain.MapDataset[int]
    rows: int
    batches: int


def shared_out(
    indices: grain.MapDataset[int], batch_size: int, process: int, processes: int
) -> Share:
    """What one of several processes reads of every batch.

    Raises:
      InputError: the batches cannot be shared out, or there are fewer images than processes.
    """
    check_numbers(process=(process, Range(0, processes - 1, whole=True)))
    if batch_size % processes or len(indices) < processes:
        raise InputError(
            f"batches of {batch_size} out of {len(indices)} images for {processes} processes: give "
            f"a multiple of {processes}, and at least one image to each"
        )
    count = math.ceil(len(indices) / batch_size)
    return Share(indices[process::processes], batch_size // processes, count)


def read(preparation: Preparation, share: Share, threads: int, *, cyclic: bool) -> Iterator[Batch]:
    """The batches of a process, each of all its rows.

    Args:
      preparation: what happens to the images.
      share: what the process reads.
      threads: how many threads decode ahead.
      cyclic: whether what is missing of the last batch are the first images again, or else 0.
    """
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=4 * threads)
    prepared = _batched(preparation, share)
    first: Arrays = {}
    for arrays in prepared.to_iter_dataset(options):
        first = first or arrays
        yield _full(arrays, first, share.rows, cyclic)
    for _ in range(len(prepared), share.batches):
        yield _full({name: values[:0] for name, values in first.items()}, first, share.rows, cyclic)


def _batched(preparation: Preparation, share: Share) -> grain.MapDataset[Arrays]:
    """Images and labels of the batches; the last may be smaller."""
    held = preparation.held
    if held is not None:
        return share.indices.batch(share.rows).map(lambda chosen: preparation.many(held, chosen))
    return share.indices.map(preparation.one).batch(share.rows)


def _full(arrays: Arrays, first: Arrays, rows: int, cyclic: bool) -> Batch:
    """A batch of all its rows, from what there is and what the epoch began with."""
    found = len(arrays["labels"])
    if found < rows:
        arrays = {
            name: _padded(values, first[name] if cyclic else values[:0], rows)
            for name, values in arrays.items()
        }
    return Batch(arrays["images"], arrays["labels"], np.arange(rows) < found)


def _padded(
    values: Shaped[np.ndarray, "images ..."],
    filling: Shaped[np.ndarray, "filling ..."],
    batch_size: int,
) -> Shaped[np.ndarray, "batch ..."]:
    """Values of a whole batch, with the filling over and over at the end, or else 0."""
    # NumPy's resize repeats what there is, and gives zeros where there is nothing.
    missing = np.resize(filling, (batch_size - len(values), *values.shape[1:]))
    return np.concatenate([values, missing.astype(values.dtype)])
