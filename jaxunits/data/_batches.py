"""Images in batches of one shape, through Grain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import grain
import numpy as np
from jaxtyping import Bool, Float32, Int32

from .._errors import InputError
from ._dataset import Dataset
from ._preprocessing import Preprocessing


class Batch(NamedTuple):
    """Images of one batch; a last batch that is not full is padded.

    Attributes:
      images: `[batch, height, width, channels]`, preprocessed; 0 where padded.
      labels: `[batch]`, class indices; 0 where padded.
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
    dataset = _dataset(data, preprocessing, batch_size)[start:stop]
    return _run(dataset.batch(batch_size), batch_size, threads)


def shuffled_batches(
    data: Dataset,
    preprocessing: Preprocessing,
    batch_size: int,
    *,
    seed: int,
    epoch: int,
    threads: int = 4,
) -> Iterator[Batch]:
    """All images once, in an order that depends on `seed` and `epoch` alone.

    See `batches` for the other arguments and for what is raised.
    """
    order = np.random.SeedSequence([seed, epoch]).generate_state(1)[0]
    dataset = _dataset(data, preprocessing, batch_size).shuffle(seed=int(order))
    return _run(dataset.batch(batch_size), batch_size, threads)


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


def _dataset(
    data: Dataset, preprocessing: Preprocessing, batch_size: int
) -> grain.MapDataset[Mapping[str, np.ndarray]]:
    check_channels(data, preprocessing)
    if batch_size < 1:
        raise InputError(f"batch_size={batch_size}: give at least 1")

    def prepare(index: int, record: Mapping[str, Any]) -> Mapping[str, np.ndarray]:
        label = data.check_label(int(record["label"]), index)
        return {
            "images": preprocessing(np.asarray(record["image"])),
            "labels": np.asarray(label, np.int32),
        }

    return grain.MapDataset.source(data.source).map_with_index(prepare)


def _run(
    dataset: grain.MapDataset[Mapping[str, np.ndarray]], batch_size: int, threads: int
) -> Iterator[Batch]:
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=4 * threads)
    for batch in dataset.to_iter_dataset(options):
        yield _padded(batch["images"], batch["labels"], batch_size)


def _padded(
    images: Float32[np.ndarray, "images height width channels"],
    labels: Int32[np.ndarray, " images"],
    batch_size: int,
) -> Batch:
    missing = batch_size - len(images)
    return Batch(
        images=np.pad(images, [(0, missing), (0, 0), (0, 0), (0, 0)]),
        labels=np.pad(labels, (0, missing)),
        valid=np.arange(batch_size) < len(images),
    )
