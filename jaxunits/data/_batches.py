"""Images in batches of one shape, through Grain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import grain
import numpy as np
from jaxtyping import Bool, Float32, Int32, Shaped

from .._errors import InputError
from ._augmentation import Augmentation
from ._dataset import Dataset
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
) -> Iterator[Batch]:
    """All images once, or those from `start` to `stop`, in the data set's order.

    Args:
      data: the images.
      preprocessing: what the network expects.
      batch_size: images a batch; the last is padded to it.
      start: the first image.
      stop: the image after the last one; None for all.
      threads: how many threads decode ahead.

    Raises:
      InputError: the images have another number of channels than the network reads, the batch size
        is not positive, or a label is outside the classes.
    """
    _check(data, preprocessing, batch_size)
    preparation = Preparation(data, preprocessing, None, np.empty((len(data), 0)))
    indices = grain.MapDataset.range(len(data))[start:stop]
    return _run(preparation.batched(indices, batch_size), batch_size, threads, cyclic=False)


def shuffled_batches(
    data: Dataset,
    preprocessing: Preprocessing,
    batch_size: int,
    *,
    seed: int,
    epoch: int,
    augmentation: Augmentation | None = None,
    threads: int = 4,
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

    Raises:
      InputError: as `batches`.
    """
    _check(data, preprocessing, batch_size)
    numbers = np.empty((len(data), 0))
    if augmentation is not None:
        numbers = augmentation.numbers(seed, epoch, len(data))
    preparation = Preparation(data, preprocessing, augmentation, numbers)
    order = np.random.SeedSequence([seed, epoch]).generate_state(1)[0]
    indices = grain.MapDataset.range(len(data)).shuffle(seed=int(order))
    return _run(preparation.batched(indices, batch_size), batch_size, threads, cyclic=True)


def check_channels(data: Dataset, preprocessing: Preprocessing) -> None:
    """Refuse images that the network cannot read.

    Raises:
      InputError: the number of channels differs.
    """
    if data.channels != preprocessing.channels:
        raise InputError(
            f"images of data {data.name!r} have {data.channels} channels and the network reads "
            f"{preprocessing.channels}: build the network with "
            f"Preprocessing(channels={data.channels}, ...), or load a folder with "
            f"channels={preprocessing.channels}"
        )


def _check(data: Dataset, preprocessing: Preprocessing, batch_size: int) -> None:
    check_channels(data, preprocessing)
    if batch_size < 1:
        raise InputError(f"batch_size={batch_size}: give at least 1")


def _run(
    prepared: grain.MapDataset[Arrays], batch_size: int, threads: int, *, cyclic: bool
) -> Iterator[Batch]:
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=4 * threads)
    first: Arrays = {}
    for arrays in prepared.to_iter_dataset(options):
        first = first or arrays
        found = len(arrays["labels"])
        if found < batch_size:
            arrays = {
                name: _padded(values, first[name] if cyclic else values[:0], batch_size)
                for name, values in arrays.items()
            }
        yield Batch(arrays["images"], arrays["labels"], np.arange(batch_size) < found)


def _padded(
    values: Shaped[np.ndarray, "images ..."],
    filling: Shaped[np.ndarray, "filling ..."],
    batch_size: int,
) -> Shaped[np.ndarray, "batch ..."]:
    """Values of a whole batch, with the filling over and over at the end, or else 0."""
    # NumPy's resize repeats what there is, and gives zeros where there is nothing.
    missing = np.resize(filling, (batch_size - len(values), *values.shape[1:]))
    return np.concatenate([values, missing.astype(values.dtype)])
