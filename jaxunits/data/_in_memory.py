"""Data sets that are decoded once."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Num

from .._arguments import check_whole
from .._bounds import THREADS, check_numbers
from .._errors import InputError
from ._arrays import ArraySource
from ._dataset import Dataset, check_dataset
from ._pixels import check_pixels
from ._threads import in_threads


def in_memory(data: Dataset, *, max_bytes: int = 2 * 2**30, threads: int = 4) -> Dataset:
    """The same data set, its images decoded now and kept as they are stored, in one array.

    Batches of images that already have the network's size are then made at once, without the cost
    of single records.

    Args:
      data: the images, all of one size.
      max_bytes: the most memory to take.
      threads: how many threads decode.

    Returns:
      A data set of the same images, labels and fingerprint.

    Raises:
      InputError: it would take more memory, images differ in size or type, one is corrupt or
        holds NaN or infinity, a label is outside the classes, or the threads are not 1 to 1024.
    """
    check_dataset(data)
    check_whole(max_bytes=max_bytes)
    check_numbers(threads=(threads, THREADS))
    if data.held is not None:
        return data
    first = np.asarray(data[0]["image"])
    needed = first.nbytes * len(data)
    if needed > max_bytes:
        raise InputError(
            f"{len(data):,} images of data {data.name!r} like the first, {_described(first)}, take "
            f"{needed:,} bytes, more than max_bytes={max_bytes:,}: allow more, take a sample, or "
            "leave them where they are"
        )
    images = np.empty((len(data), *first.shape), first.dtype)
    labels = np.empty(len(data), np.int64)

    def read(index: int) -> None:
        record: Any = data[index]
        image = np.asarray(record["image"])
        if (image.shape, image.dtype) != (first.shape, first.dtype):
            raise InputError(
                f"image {index} of data {data.name!r} is {_described(image)}, and image 0 "
                f"{_described(first)}: in_memory holds images of one size; leave these where they "
                "are"
            )
        check_pixels(image[None], lambda _: data.describe(index), data.value_range)
        images[index] = image
        labels[index] = data.check_label(record["label"], index)

    for _ in in_threads(read, range(len(data)), threads):
        pass
    return dataclasses.replace(data, source=ArraySource(images, labels))


def _described(image: Num[np.ndarray, "height width channels"]) -> str:
    return f"{' × '.join(map(str, image.shape))} of {image.dtype}"
