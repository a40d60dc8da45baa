"""Annotated images in batches, as a network sees them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int16, Int32

from ..._errors import InputError
from ..._kinds import checks_kinds
from .._batches import check_channels
from .._pixels import check_pixels
from .._preprocessing import Preprocessing
from ._concepts import Concepts, images
from ._cut import cut


class ConceptBatch(NamedTuple):
    """Annotated images of one batch.

    Label maps say which of the image's own concepts is where: an image has few of all concepts.

    Attributes:
      images: preprocessed; 0 where a last batch is not full.
      label_maps: indices into the image's row of `concepts`, -1 where there is none.
      concepts: indices of the concepts in each image, rising; -1 after the last.
      valid: false where a last batch is not full.
    """

    images: Float32[np.ndarray, "batch height width channels"]
    label_maps: Int16[np.ndarray, "batch maps rows columns"]
    concepts: Int32[np.ndarray, "batch present"]
    valid: Bool[np.ndarray, " batch"]


class _Prepared(NamedTuple):
    """One image of a batch."""

    image: Float32[np.ndarray, "height width channels"]
    label_maps: Int16[np.ndarray, "maps rows columns"]
    concepts: Int32[np.ndarray, " present"]


@checks_kinds
def concept_batches(
    concepts: Concepts,
    preprocessing: Preprocessing,
    batch_size: int,
    size: tuple[int, int],
    *,
    threads: int = 4,
) -> Iterator[ConceptBatch]:
    """All annotated images once, in their order; masks are cut as the network sees the images.

    Maps and concepts a batch are padded to powers of two, so that few programs are compiled.

    Args:
      concepts: the annotated images.
      preprocessing: what the network expects of images.
      batch_size: images a batch.
      size: rows and columns of the label maps, which cover what the network sees.
      threads: how many threads read ahead.

    Raises:
      InputError: the images have another number of channels than the network reads, one holds NaN
        or infinity, or a label map has indices of concepts that do not exist.
    """
    check_channels(images(concepts), preprocessing)

    def prepare(index: int) -> _Prepared:
        return _prepare(concepts, index, preprocessing, size)

    # Imported here because it takes most of a second.
    import grain

    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=4 * threads)
    waiting = []
    for one in grain.MapDataset.range(len(concepts)).map(prepare).to_iter_dataset(options):
        waiting.append(one)
        if len(waiting) == batch_size:
            yield _together(waiting, batch_size)
            waiting = []
    if waiting:
        yield _together(waiting, batch_size)


def _prepare(
    concepts: Concepts, index: int, preprocessing: Preprocessing, size: tuple[int, int]
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
    labelled = present >= 0
    # With -1 among the values, their places are one too high, and its own becomes -1.
    places = places.reshape(seen.shape) - int(not labelled.all())
    return _Prepared(
        preprocessing(image), places.astype(np.int16), present[labelled].astype(np.int32)
    )


def _together(prepared: list[_Prepared], batch_size: int) -> ConceptBatch:
    first = prepared[0]
    maps = _power_of_two(max(len(one.label_maps) for one in prepared))
    present = _power_of_two(max(len(one.concepts) for one in prepared))
    batch = ConceptBatch(
        images=np.zeros((batch_size, *first.image.shape), np.float32),
        label_maps=np.full((batch_size, maps, *first.label_maps.shape[1:]), -1, np.int16),
        concepts=np.full((batch_size, present), -1, np.int32),
        valid=np.arange(batch_size) < len(prepared),
    )
    for place, one in enumerate(prepared):
        batch.images[place] = one.image
        batch.label_maps[place, : len(one.label_maps)] = one.label_maps
        batch.concepts[place, : len(one.concepts)] = one.concepts
    return batch


def _power_of_two(number: int) -> int:
    """The smallest one that is at least the number."""
    return 1 << max(number - 1, 0).bit_length()
