"""Images of a data set, piece by piece, each read once for all measurements."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Int, Int64, PyTree

from ..data import Dataset, Preprocessing, batches
from ..data.concepts import Concepts
from ._devices import array_bytes
from ._execution import Execution


@dataclass(frozen=True, eq=False)
class Read:
    """Reads images, from one to another.

    Attributes:
      images: how many there are.
      image_bytes: what is read of one.
      example: shapes of what is read of one.
      function: from the first image and that after the last to what is read of them.
    """

    images: int
    image_bytes: int
    example: PyTree
    function: Callable[[int, int], PyTree]


# Images that one thread decodes in a row.
_READ_TOGETHER = 32


class Images(NamedTuple):
    """What networks read of some images.

    Attributes:
      images: `[images, height, width, channels]`: preprocessed in float32, or uint8 pixels, which
        the devices standardize.
      labels: their classes, `[images]` in int32.
      partners: as many other images, whose activations ablated units give; None for none.
    """

    images: Any
    labels: Any
    partners: Any = None


class Part(NamedTuple):
    """Some images of a piece, padded to the size of a batch.

    Attributes:
      image: which images they are, as indices into the data set, without padding.
      inputs: what is read of them; 0 in the padding.
    """

    image: Int64[np.ndarray, " images"]
    inputs: Any


@dataclass(frozen=True, eq=False)
class Piece:
    """Some images, as they are read.

    Attributes:
      image: which they are, as indices into the data set.
      inputs: arrays with an entry per image.
    """

    image: Int[np.ndarray, " images"]
    inputs: Any

    def __len__(self) -> int:
        return len(self.image)

    def chosen(self, which: Bool[np.ndarray, " images"] | slice) -> Piece:
        """Some of the images."""
        return Piece(self.image[which], jax.tree.map(lambda array: array[which], self.inputs))

    def parts(self, size: int) -> Iterator[Part]:
        """The images in batches of one size."""
        for start in range(0, len(self), size):
            some = self.chosen(slice(start, start + size))
            yield Part(some.image, _filled(some.inputs, size - len(some)))


def _filled(inputs: PyTree, missing: int) -> PyTree:
    def one(array: np.ndarray) -> np.ndarray:
        return np.concatenate([array, np.zeros((missing, *array.shape[1:]), array.dtype)])

    return jax.tree.map(one, inputs) if missing else inputs


def pixel_dtype(preprocessing: Preprocessing, *data: Dataset | Concepts | None) -> np.dtype:
    """The type in which images go to the devices: uint8 where all data are, else float32.

    Args:
      preprocessing: what the network expects.
      *data: the images that are read together; None for none.
    """
    # Another class may standardize in its own way, and not pixel by pixel.
    known = type(preprocessing) is Preprocessing
    uint8 = known and all(each is None or each.image_dtype == np.uint8 for each in data)
    return np.dtype(np.uint8 if uint8 else np.float32)


def image_shape(preprocessing: Preprocessing, dtype: np.dtype) -> jax.ShapeDtypeStruct:
    """The shape of an image on its way to the devices."""
    return jax.ShapeDtypeStruct((*preprocessing.size, preprocessing.channels), dtype)


def reading(
    data: Dataset,
    preprocessing: Preprocessing,
    execution: Execution,
    partners: Dataset | None = None,
) -> Read:
    """Reads images as a network does.

    Args:
      data: the images.
      preprocessing: what the network expects.
      execution: the execution options.
      partners: as many other images, read beside them.
    """
    dtype = pixel_dtype(preprocessing, data, partners)

    def read(start: int, stop: int) -> Images:
        rows = start, stop, execution.decoding_threads
        images, labels = _read(data, preprocessing, dtype, *rows)
        others = None if partners is None else _read(partners, preprocessing, dtype, *rows)[0]
        return Images(images, labels, others)

    image = image_shape(preprocessing, dtype)
    example = Images(image, jax.ShapeDtypeStruct((), np.int32), None if partners is None else image)
    image_bytes = array_bytes((example.images, example.partners))
    return Read(len(data), image_bytes, example, read)


def _read(
    data: Dataset,
    preprocessing: Preprocessing,
    dtype: np.dtype,
    start: int,
    stop: int,
    threads: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels, read in threads a few at a time."""
    parts = list(
        batches(
            data,
            preprocessing,
            min(_READ_TOGETHER, stop - start),
            start=start,
            stop=stop,
            threads=threads,
            standardized=dtype != np.uint8,
        )
    )
    return (
        np.concatenate([part.images[part.valid] for part in parts]),
        np.concatenate([part.labels[part.valid] for part in parts]),
    )


def pieces(read: Read, ranges: Sequence[tuple[int, int]]) -> Iterator[Piece]:
    """Pieces of images in order, the next one read while one is evaluated.

    Args:
      read: reads the images from one to another.
      ranges: the first image of each piece, and that after its last.
    """

    def piece(start: int, stop: int) -> Piece:
        return Piece(np.arange(start, stop), read.function(start, stop))

    with ThreadPoolExecutor(1) as pool:
        ahead: Future[Piece] | None = None
        for number, each in enumerate(ranges):
            here = (ahead or pool.submit(piece, *each)).result()
            ahead = pool.submit(piece, *ranges[number + 1]) if number + 1 < len(ranges) else None
            yield here
