"""Images read ahead in threads, through Grain."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, SupportsIndex

import grain
import grain.experimental
import numpy as np
from jaxtyping import Shaped

from .._bounds import Range, check_numbers
from .._errors import InputError
from ._batch import Batch
from ._preparation import Arrays, Preparation

# Of the cipher that shuffles; as many as `grain.MapDataset.shuffle` takes.
_ROUNDS = 4


@dataclass(frozen=True)
class Indices:
    """Images in their order or shuffled, worked out as they are asked for.

    The order is that of `grain.MapDataset.shuffle`, for which Grain takes several times as long
    where it is asked image by image.

    Attributes:
      places: of the images in that order.
      images: how many images there are.
      seed: of the order; None for the data set's own.
    """

    places: range
    images: int
    seed: int | None = None

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, place: SupportsIndex) -> int:
        index = self.places[place]
        if self.seed is None:
            return index
        shuffle = grain.experimental.index_shuffle
        return int(shuffle(index, self.images - 1, self.seed, _ROUNDS))

    def __iter__(self) -> Iterator[int]:
        return map(self.__getitem__, range(len(self)))

    def part(self, start: int | None, stop: int | None, step: int | None = None) -> Indices:
        """Those from one place to another."""
        return dataclasses.replace(self, places=self.places[start:stop:step])


def in_order(images: int, start: int, stop: int | None) -> Indices:
    """The images from `start` to `stop`, or to the last."""
    return Indices(range(images)[start:stop], images)


def shuffled(images: int, seed: int) -> Indices:
    """All images in an order that depends on the seed."""
    return Indices(range(images), images, seed)


class Share(NamedTuple):
    """What one process reads.

    Attributes:
      indices: its images, in their order.
      rows: its rows of every batch.
      batches: how many batches there are, the same for every process.
    """

    indices: Indices
    rows: int
    batches: int


def shared_out(indices: Indices, batch_size: int, process: int, processes: int) -> Share:
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
    return Share(indices.part(process, None, processes), batch_size // processes, count)


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
    held, indices, rows = preparation.held, share.indices, share.rows
    if held is not None:
        starts = grain.MapDataset.range(0, len(indices), rows)
        return starts.map(
            lambda start: preparation.many(held, np.asarray([*indices.part(start, start + rows)]))
        )
    return grain.MapDataset.source(indices).map(preparation.one).batch(rows)


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
