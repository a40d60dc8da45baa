"""Images with masks of visual concepts, and what the concepts are called."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, SupportsIndex, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int, Num
from numpy.typing import ArrayLike

from ..._errors import unknown_name
from ..._kinds import checks_kinds
from .._dataset import Dataset
from .._pixels import ValueRange
from .._subset import checked_indices


class Annotated(NamedTuple):
    """An image and where its concepts are.

    Attributes:
      image: uint8 in 0 to 255 or floating point in 0 to 1.
      label_maps: indices of concepts, -1 where there is none. Concepts that overlap lie in several
        maps; one of the whole image fills a map. Rows and columns may differ from the image's: the
        maps cover all of it, more coarsely or more finely.
    """

    image: Num[np.ndarray, "height width channels"]
    label_maps: Int[np.ndarray, "maps rows columns"]

    def mask(self, concept: int) -> Bool[np.ndarray, "rows columns"]:
        """Where a concept is, by its index."""
        return (self.label_maps == concept).any(0)


@runtime_checkable
class Source(Protocol):
    """Random access to annotated images, and to the images alone without the cost of the masks.

    An attribute `image_dtype` may say that all images are uint8, as in `ju.data.Source`.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, index: SupportsIndex, /) -> Annotated: ...

    def image(self, index: SupportsIndex, /) -> Num[np.ndarray, "height width channels"]:
        """One image."""
        ...


@dataclass(frozen=True, eq=False)
class Concepts:
    """Annotated images of one split.

    Attributes:
      source: random access to them.
      names: the concepts' names; label maps hold indices into them.
      categories: each concept's category, such as `"object"`.
      channels: channels of every image.
      name: where they come from, as given to `load`.
      split: which part of it.
      fingerprint: changes whenever images or masks may have changed.
      value_range: least and largest value of floating-point images; None for any.
    """

    source: Source
    names: tuple[str, ...]
    categories: tuple[str, ...]
    channels: int
    name: str
    split: str
    fingerprint: str
    value_range: ValueRange = (0.0, 1.0)

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: SupportsIndex) -> Annotated:
        return self.source[index]

    @property
    def image_dtype(self) -> Any:
        """The type of all images, if the source says it."""
        return getattr(self.source, "image_dtype", None)

    def concept_index(self, name: str) -> int:
        """The index of a concept.

        Raises:
          InputError: no concept has this name; the nearest one is offered.
        """
        if name not in self.names:
            raise unknown_name("concept", name, self.names, f"data {self.name!r}")
        return self.names.index(name)


class _Images:
    """The images alone, all of one class."""

    def __init__(self, concepts: Concepts) -> None:
        self._concepts = concepts

    @property
    def labels(self) -> Int[np.ndarray, " images"]:
        return np.zeros(len(self), np.int64)

    @property
    def image_dtype(self) -> Any:
        return self._concepts.image_dtype

    def __len__(self) -> int:
        return len(self._concepts)

    def __getitem__(self, index: SupportsIndex) -> Mapping[str, Any]:
        return {"image": self._concepts.source.image(index), "label": 0}


@checks_kinds
def images(concepts: Concepts) -> Dataset:
    """The images alone, as a data set of one class: for `ju.attributes.top_images`.

    Args:
      concepts: the annotated images.

    Returns:
      A data set of the same images, all of one class.

    Raises:
      InputError: these are no annotated images.
    """
    return Dataset(
        source=_Images(concepts),
        class_names=("image",),
        channels=concepts.channels,
        name=concepts.name,
        split=concepts.split,
        fingerprint=concepts.fingerprint,
        value_range=concepts.value_range,
    )


class _Chosen:
    """Random access to chosen annotated images."""

    def __init__(self, source: Source, indices: Int[np.ndarray, " images"]) -> None:
        self._source = source
        self._indices = indices

    @property
    def image_dtype(self) -> Any:
        return getattr(self._source, "image_dtype", None)

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: SupportsIndex) -> Annotated:
        return self._source[int(self._indices[index])]

    def image(self, index: SupportsIndex) -> Num[np.ndarray, "height width channels"]:
        return self._source.image(int(self._indices[index]))


@checks_kinds
def subset(concepts: Concepts, indices: ArrayLike) -> Concepts:
    """Some of the images, in the order given; all concepts stay.

    Args:
      concepts: the annotated images.
      indices: `[images]`, numbers of the images to keep.

    Returns:
      The chosen images with all concepts.

    Raises:
      InputError: there are none, or an index is outside the data.
    """
    chosen = checked_indices(indices, len(concepts), concepts.name)
    digest = hashlib.sha256(f"{concepts.fingerprint} ".encode() + chosen.tobytes())
    return dataclasses.replace(
        concepts, source=_Chosen(concepts.source, chosen), fingerprint=digest.hexdigest()
    )
