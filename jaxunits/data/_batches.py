"""Images in batches of one shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .._arguments import check_whole, check_whole_or_none
from .._bounds import MOST_BATCH_NUMBERS, SEEDS, THREADS, Range, check_numbers, check_table
from .._errors import InputError
from .._kinds import checks_kinds
from ._augmentation import Augmentation
from ._batch import Batch
from ._dataset import Dataset, check_dataset
from ._preparation import Preparation
from ._preprocessing import Preprocessing


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
    standardized: bool = True,
) -> Iterator[Batch]:
    """All images once, or those from `start` to `stop`, in the data set's order.

    Args:
      data: the images.
      preprocessing: what the network expects.
      batch_size: images per batch; the last is padded to it.
      start: the first image.
      stop: the image after the last one; None for all.
      threads: how many threads decode ahead.
      process: the index of this process, which gets its own rows of every batch.
      processes: how many there are.
      standardized: False returns uint8 from 0 to 255, only resized and cropped, for data that are
        uint8: a quarter of the bytes, for `Preprocessing.standardize` later.

    Returns:
      Batches of `batch_size` images, which are decoded while they are read.

    Raises:
      InputError: the images have another number of channels than the network reads, the batch size
        is not positive, cannot be divided among the processes or takes more than 8 GiB in one of
        them, there are fewer images than processes, the threads are not 1 to 1024, a label is
        outside the classes, an image holds NaN or infinity, or images not known to be uint8 are to
        stay uint8.
    """
    _check(data, preprocessing, batch_size, threads, processes)
    check_uint8(data, standardized)
    numbers = np.empty((len(data), 0))
    preparation = Preparation(data, preprocessing, None, numbers, standardized)
    check_whole(start=start)
    check_whole_or_none(stop=stop)
    # Imported here because Grain takes most of a second.
    from . import _reading

    indices = _reading.in_order(len(data), start, stop)
    share = _reading.shared_out(indices, batch_size, process, processes)
    return _reading.read(preparation, share, threads, cyclic=False)


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

    A last batch that is not full is completed with the epoch's first images, `valid` false, so that
    batch norm's statistics see real images only.

    Args:
      data: the images.
      preprocessing: what the network expects.
      batch_size: images per batch.
      seed: the seed of the order and of the augmentation.
      epoch: the epoch, which the order depends on too; the first is 0.
      augmentation: random changes of the images; what happens to an image depends on `seed`,
        `epoch` and its index alone.
      threads: how many threads decode ahead.
      process: as in `batches`; together the processes' rows are those of one process alone.
      processes: as in `batches`.

    Returns:
      Batches of `batch_size` images, which are decoded while they are read.

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
    # Imported here because Grain takes most of a second.
    from . import _reading

    indices = _reading.shuffled(len(data), int(order))
    share = _reading.shared_out(indices, batch_size, process, processes)
    return _reading.read(preparation, share, threads, cyclic=True)


@checks_kinds
def check_uint8(data: Any, standardized: bool) -> None:
    """Refuse to leave images as uint8 that are not known to be uint8.

    Raises:
      InputError: they are not known to be uint8, or `standardized` is neither true nor false.
    """
    if not standardized and data.image_dtype != np.uint8:
        raise InputError(
            f"standardized=False for data {data.name!r}, which do not say that all images are "
            "uint8: leave it True, or give the source the attribute image_dtype = np.uint8"
        )


@checks_kinds
def check_batch(preprocessing: Preprocessing, batch_size: int, processes: int = 1) -> None:
    """Refuse batches without images, and those that would fill the memory.

    Args:
      preprocessing: what the network expects.
      batch_size: images per batch.
      processes: how many processes share a batch.

    Raises:
      InputError: there is less than one image, or a process would hold more than 8 GiB.
    """
    check_whole(batch_size=batch_size)
    check_numbers(processes=(processes, Range(1, whole=True)))
    if batch_size < 1:
        raise InputError(f"batch_size={batch_size}: give at least 1")
    rows, asked = batch_size // processes, f"batch_size={batch_size}"
    check_table(rows, preprocessing.numbers, asked, MOST_BATCH_NUMBERS)


def check_channels(data: Dataset, preprocessing: Preprocessing) -> None:
    """Refuse images that the network cannot read.

    Args:
      data: the images.
      preprocessing: what the network expects of them.

    Raises:
      InputError: this is not a data set, or the number of channels differs.
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
