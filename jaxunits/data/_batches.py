"""Images in batches of one shape, through Grain."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import grain
import numpy as np
from jaxtyping import Bool, Float32, Int32, Shaped

from .._arguments import check_whole, check_whole_or_none
from .._bounds import MOST_BATCH_NUMBERS, SEEDS, THREADS, Range, check_numbers, check_table
from .._errors import InputError
from .._kinds import checks_kinds
from ._augmentation import Augmentation
from ._dataset import Dataset, check_dataset
from ._preparation import Arrays, Preparation
from ._preprocessing import Preprocessing


class Batch(NamedTuple):
    """Images of one batch; a last batch that is not full is padded.

    Attributes:
      images: `[batch, height, width, channels]`, preprocessed; where padded 0, or in training the
        epoch's first images again.
      labels: `[batch]`, class indices; padded likewise.
      valid: `[batch]`, false where padded.
    """

    images: Float32[np.ndarray, "batch height width channels"]
    labels: Int32[np.ndarray, " batch"]
    valid: Bool[np.ndarray, " batch"]


def batches(
    data: Dataset,
    preprocessing: Preprocessing,
    batch_size: int,
    *,
    start: int = 0,
    stop: int | None = None,
    threads: int = 4,
    process: int = 0,
    processes: int = 1,
) -> Iterator[Batch]:
    """All images once, or those from `start` to `stop`, in the data set's order.

    Args:
      data: the images.
      preprocessing: what the network expects.
      batch_size: images a batch; the last is padded to it.
      start: the first image.
      stop: the image after the last one; None for all.
      threads: how many threads decode ahead.
      process: which of several processes asks, each for its own rows of every batch.
      processes: how many there are.

    Raises:
      InputError: the images have another number of channels than the network reads, the batch size
        is not positive, cannot be shared out or takes more than 8 GiB a process, there are fewer
        images than processes, the threads are not 1 to 1024, a label is outside the classes, or an
        image holds NaN or infinity.
    """
    _check(data, preprocessing, batch_size, threads, processes)
    preparation = Preparation(data, preprocessing, None, np.empty((len(data), 0)))
    check_whole(start=start)
    check_whole_or_none(stop=stop)
    indices = grain.MapDataset.range(len(data))[start:stop]
    share = _share(indices, batch_size, process, processes)
    return _run(preparation, share, threads, cyclic=False)


def shuffled_batches(
    data: Dataset,
    preprocessing: Preprocessing,
    batch_size: int,
    *,
    seed: int,
    epoch: int,
    augmentation: Augmentation | None = None,
    threads: int = 4,
    process: int = 0,
    processes: int = 1,
) -> Iterator[Batch]:
    """All images once, in an order that depends on `seed` and `epoch` alone, for training.

    A last batch that is not full goes on with the epoch's first images, `valid` false, so that
    batch norm's statistics see real images only.

    Args:
      data: the images.
      preprocessing: what the network expects.
      batch_size: images a batch.
      seed: of the order and of the augmentation.
      epoch: likewise, from 0 on.
      augmentation: random changes of the images; what happens to an image depends on `seed`,
        `epoch` and its index alone.
      threads: how many threads decode ahead.
      process: as in `batches`; together the processes' rows are those of one process alone.
      processes: as in `batches`.

    Raises:
      InputError: as `batches`, or a seed is outside 0 to 2^32 - 1.
    """
    _check(data, preprocessing, batch_size, threads, processes)
    check_numbers(seed=(seed, SEEDS), epoch=(epoch, SEEDS))
    numbers = np.empty((len(data), 0))
    if not isinstance(augmentation, Augmentation | None):
        raise InputError(
            f"augmentation of type {type(augmentation).__name__}: give a ju.data.Augmentation"
        )
    if augmentation is not None:
        numbers = augmentation.numbers(seed, epoch, len(data))
    preparation = Preparation(data, preprocessing, augmentation, numbers)
    order = np.random.SeedSequence([seed, epoch]).generate_state(1)[0]
    indices = grain.MapDataset.range(len(data)).shuffle(seed=int(order))
    share = _share(indices, batch_size, process, processes)
    return _run(preparation, share, threads, cyclic=True)


@checks_kinds
def check_batch(preprocessing: Preprocessing, batch_size: int, processes: int = 1) -> None:
    """Refuse batches without images, and those that would fill the memory.

    Args:
      preprocessing: what the network expects.
      batch_size: images per batch.
      processes: how many processes share a batch.

    Raises:
      InputError: there is less than an image, or a process would hold more than 8 GiB.
    """
    check_whole(batch_size=batch_size)
    check_numbers(processes=(processes, Range(1, whole=True)))
    if batch_size < 1:
        raise InputError(f"batch_size={batch_size}: give at least 1")
    rows, asked = batch_size // processes, f"batch_size={batch_size}"
    check_table(rows, preprocessing.numbers, asked, MOST_BATCH_NUMBERS)


def check_channels(data: Dataset, preprocessing: Preprocessing) -> None:
    """Refuse images that the network cannot read.

    Raises:
      InputError: this is no data set, or the number of channels differs.
    """
    check_dataset(data)
    if not isinstance(preprocessing, Preprocessing):
        raise InputError(
            f"preprocessing of type {type(preprocessing).__name__}: give a ju.data.Preprocessing, "
            "such as network.preprocessing"
        )
    if data.channels != preprocessing.channels:
        raise InputError(
            f"images of data {data.name!r} have {data.channels} channels and the network reads "
            f"{preprocessing.channels}: build the network with "
            f"Preprocessing(channels={data.channels}, ...), or load a folder with "
            f"channels={preprocessing.channels}"
        )


def _check(
    data: Dataset, preprocessing: Preprocessing, batch_size: int, threads: int, processes: int
) -> None:
    check_channels(data, preprocessing)
    check_batch(preprocessing, batch_size, processes)
    check_numbers(threads=(threads, THREADS))


class _Share(NamedTuple):
    """What one process reads.

    Attributes:
      indices: its images, in their order.
      rows: its rows of every batch.
      batches: how many batches there are, the same for every process.
    """

    indices: grain.MapDataset[int]
    rows: int
    batches: int


def _share(indices: grain.MapDataset[int], batch_size: int, process: int, processes: int) -> _Share:
    check_numbers(process=(process, Range(0, processes - 1, whole=True)))
    if batch_size % processes or len(indices) < processes:
        raise InputError(
            f"batches of {batch_size} out of {len(indices)} images for {processes} processes: give "
            f"a multiple of {processes}, and at least one image to each"
        )
    count = math.ceil(len(indices) / batch_size)
    return _Share(indices[process::processes], batch_size // processes, count)


def _run(preparation: Preparation, share: _Share, threads: int, *, cyclic: bool) -> Iterator[Batch]:
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=4 * threads)
    prepared = preparation.batched(share.indices, share.rows)
    first: Arrays = {}
    for arrays in prepared.to_iter_dataset(options):
        first = first or arrays
        yield _full(arrays, first, share.rows, cyclic)
    for _ in range(len(prepared), share.batches):
        yield _full({name: values[:0] for name, values in first.items()}, first, share.rows, cyclic)


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
