"""A data set: random access to labeled images, and what they are called."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, SupportsIndex, runtime_checkable

import numpy as np
from jaxtyping import Int, Num

from .._arguments import is_whole, whole_array
from .._errors import InputError, unknown_name
from ._pixels import ValueRange


@runtime_checkable
class Source(Protocol):
    """Random access to records of `image` (`[height, width, channels]`) and `label`.

    The protocol of Grain's and of TensorFlow Datasets' data sources. Images are uint8 in 0 to 255
    or floating point in 0 to 1. A source whose images are all uint8 may say so by an attribute
    `image_dtype`, `np.uint8`: they are then standardized on the devices, where floating-point
    numbers would take four times as long to transfer.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, index: SupportsIndex, /) -> Mapping[str, Any]: ...


class Held(NamedTuple):
    """Images that a source holds in an array.

    Attributes:
      images: `[held, height, width, channels]`, more of them perhaps than the source has.
      positions: `[images]`, where each of the source's images is.
    """

    images: Num[np.ndarray, "held height width channels"]
    positions: Int[np.ndarray, " images"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labeled images of one split.

    Attributes:
      source: random access to the images and their labels.
      class_names: the classes' names; a label is an index into them.
      channels: channels of every image.
      name: where the images come from, as given to `load`.
      split: which part of it.
      fingerprint: changes whenever the images or labels may have changed; `load` says what of
        each kind of source it covers.
      skipped: files that could not be decoded and were left out.
      value_range: least and largest value of floating-point images; None for any.
    """

    source: Source
    class_names: tuple[str, ...]
    channels: int
    name: str
    split: str
    fingerprint: str
    skipped: tuple[str, ...] = ()
    value_range: ValueRange = (0.0, 1.0)

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: SupportsIndex) -> Mapping[str, Any]:
        return self.source[index]

    @functools.cached_property
    def labels(self) -> Int[np.ndarray, " images"]:
        """The label of every image; no image is decoded if the source knows its labels.

        Raises:
          InputError: one is not an integer or outside the classes.
        """
        known = getattr(self.source, "labels", None)
        if known is None:
            known = [
                self.check_label(self.source[index]["label"], index) for index in range(len(self))
            ]
        labels = whole_array(known, "labels", f" of data {self.name!r}")
        if labels.shape != (len(self),):
            raise InputError(
                f"labels of shape {labels.shape} of data {self.name!r}: give one for each of its "
                f"{len(self)} images"
            )
        for index in np.flatnonzero((labels < 0) | (labels >= len(self.class_names))):
            self.check_label(int(labels[index]), int(index))
        return labels

    @property
    def held(self) -> Held | None:
        """The images in an array, if the source holds them in one."""
        return getattr(self.source, "held", None)

    @property
    def image_dtype(self) -> Any:
        """The type of all images, if the source says it."""
        held = self.held
        return getattr(self.source, "image_dtype", None) if held is None else held.images.dtype

    def describe(self, index: int) -> str:
        """What an image is called in messages: its number in the data that were loaded."""
        inner = getattr(self.source, "describe", None)
        return inner(index) if inner else f"image {index} of data {self.name!r}"

    def class_index(self, name: str) -> int:
        """The label of a class; names are compared in Unicode's composed form (NFC).

        Raises:
          InputError: no class has this name; the nearest one is offered.
        """
        if not isinstance(name, str):
            raise unknown_name("class", name, self.class_names, f"data {self.name!r}")
        names = [unicodedata.normalize("NFC", known) for known in self.class_names]
        composed = unicodedata.normalize("NFC", name)
        if composed not in names:
            raise unknown_name("class", name, self.class_names, f"data {self.name!r}")
        return names.index(composed)

    def check_label(self, label: Any, index: int) -> int:
        """Return the label of an image if it names a class.

        Raises:
          InputError: it is not an integer or outside the classes.
        """
        if not is_whole(label):
            raise InputError(
                f"label {label!r} of image {index} in data {self.name!r}, split {self.split!r}: "
                "give a whole number, the index of the image's class"
            )
        if not 0 <= label < len(self.class_names):
            raise InputError(
                f"label {label} of image {index} in data {self.name!r}, split {self.split!r}, is "
                f"outside its {len(self.class_names)} classes (0 to {len(self.class_names) - 1}): "
                "correct the label, or name all classes with class_names"
            )
        return int(label)


def checked_class_names(names: Any, place: str) -> tuple[str, ...]:
    """Names of classes, as text.

    Args:
      names: what was given: text, or whole numbers that serve as such.
      place: whose classes they are, for messages.

    Raises:
      InputError: they are a single text or unordered, there are none, or one is empty, of another
        type, or equal to another one except for how its accents are encoded.
    """
    if isinstance(names, str | bytes | Mapping | set | frozenset) or not isinstance(
        names, Iterable
    ):
        raise InputError(
            f"class_names of type {type(names).__name__} for {place}: give a list of names in the "
            "order of the labels, such as ['cat', 'dog']"
        )
    known = list(names)
    if not known:
        raise InputError(f"class_names for {place} are empty: give at least one name")
    for name in known:
        if not (isinstance(name, str) or is_whole(name)) or not str(name).strip():
            raise InputError(f"class name {name!r} for {place}: give a text that is not empty")
    first: dict[str, int] = {}
    for label, name in enumerate(known):
        earlier = first.setdefault(unicodedata.normalize("NFC", str(name)), label)
        if earlier != label:
            raise InputError(
                f"class name {name!r} for {place} comes twice, for the labels {earlier} and "
                f"{label}: give every class a name of its own"
            )
    return tuple(map(str, known))


def check_dataset(data: Any) -> None:
    """Refuse what is not a data set, such as what `load` turns into one.

    Raises:
      InputError: it is of another type; the message says how to load it.
    """
    if isinstance(data, Dataset):
        return
    way_out = "give what ju.data.load returns"
    if isinstance(data, str):
        way_out += f", such as ju.data.load({data!r})"
    elif isinstance(data, tuple | list):
        way_out += ", such as ju.data.load((images, labels))"
    elif hasattr(data, "categories"):
        way_out += ", or ju.data.concepts.images(concepts)"
    raise InputError(f"data of type {type(data).__name__}: {way_out}")
