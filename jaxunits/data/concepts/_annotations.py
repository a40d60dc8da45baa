"""Annotated images as a network sees them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int16, Int32, Num

from ..._bounds import THREADS, check_numbers
from ..._errors import InputError
from ..._kinds import checks_kinds
from .._batches import check_channels, check_uint8
from .._pixels import check_pixels
from .._preprocessing import Preprocessing, as_read
from ._concepts import Concepts, images
from ._cut import cut


class Annotations(NamedTuple):
    """Annotated images as a network sees them.

    Label maps say which of the image's own concepts is where: an image has few of all concepts.

    Attributes:
      images: preprocessed, `[images, height, width, channels]` in float32, or uint8 with
        `standardized=False`.
      label_maps: indices into the image's row of `concepts`, -1 where there is none,
        `[images, maps, rows, columns]` in int16.
      concepts: indices of the concepts in each image, rising; -1 after the last,
        `[images, present]` in int32.
    """

    images: Any
    label_maps: Any
    concepts: Any


class _Prepared(NamedTuple):
    """One image of a batch."""

    image: Num[np.ndarray, "height width channels"]
    label_maps: Int16[np.ndarray, "maps rows columns"]
    concepts: Int32[np.ndarray, " present"]


@checks_kinds
def annotated_images(
    concepts: Concepts,
    preprocessing: Preprocessing,
    size: tuple[int, int],
    start: int = 0,
    stop: int | None = None,
    *,
    threads: int = 4,
    standardized: bool = True,
) -> Annotations:
    """Annotated images in their order; masks are cut as the network sees the images.

    Maps and concepts are padded to powers of two, so that few programs are compiled.

    Args:
      concepts: the annotated images.
      preprocessing: what the network expects of images.
      size: rows and columns of the label maps, which cover what the network sees.
      start: the first image.
      stop: the image after the last one; None for all.
      threads: how many threads read ahead.
      standardized: False leaves images as uint8, as in `ju.data.batches`.

    Returns:
      Images with their label maps, some at a time.

    Raises:
      InputError: the range holds none, the images have another number of channels than the network
        reads, one holds NaN or infinity, a label map has indices of concepts that do not exist, or
        images not known to be uint8 are to stay uint8.
    """
    check_channels(images(concepts), preprocessing)
    check_uint8(concepts, standardized)

    def prepare(index: int) -> _Prepared:
        return _prepare(concepts, index, preprocessing, size, standardized)

    chosen = range(len(concepts))[start:stop]
    check_numbers(threads=(threads, THREADS))
    if not len(chosen):
        raise InputError(
            f"no image from {start} to {stop} in data {concepts.name!r} of {len(concepts)}: give a "
            "range with at least one"
        )
    with ThreadPoolExecutor(threads) as pool:
        return _together(list(pool.map(prepare, chosen)))


def _prepare(
    concepts: Concepts,
    index: int,
    preprocessing: Preprocessing,
    size: tuple[int, int],
    standardized: bool,
) -> _Prepared:
    image, label_maps = concepts[index]
    check_pixels(
        image[None], lambda _: f"image {index} of data {concepts.name!r}", concepts.value_range
    )
    seen = cut(label_maps, image.shape[:2], preprocessing, size)
    present, places = np.unique(seen, return_inverse=True)
    if len(present) and not -1 <= present[0] <= present[-1] < len(concepts.names):
        wrong = present[0] if present[0] < -1 else present[-1]
        raise InputError(
            f"label map of image {index} in data {concepts.name!r} has concept {wrong}: give 0 to "
            f"{len(concepts.names) - 1}, and -1 for none"
        )
    labeled = present >= 0
    # With -1 among the values, their places are one too high, and its own becomes -1.
    places = places.reshape(seen.shape) - int(not labeled.all())
    pixels = as_read(preprocessing, preprocessing.fit(image), standardized=standardized)
    return _Prepared(pixels, places.astype(np.int16), present[labeled].astype(np.int32))


def _together(prepared: Sequence[_Prepared]) -> Annotations:
    maps = _power_of_two(max(len(one.label_maps) for one in prepared))
    present = _power_of_two(max(len(one.concepts) for one in prepared))

    def padded(array: np.ndarray, length: int) -> np.ndarray:
        missing = [(0, length - len(array)), *[(0, 0)] * (array.ndim - 1)]
        return np.pad(array, missing, constant_values=-1)

    return Annotations(
        np.stack([one.image for one in prepared]),
        np.stack([padded(one.label_maps, maps) for one in prepared]),
        np.stack([padded(one.concepts, present) for one in prepared]),
    )


def _power_of_two(number: int) -> int:
    """The smallest one that is at least the number."""
    return 1 << max(number - 1, 0).bit_length()
