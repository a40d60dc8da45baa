"""Images in memory, and random-access sources of the user's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, SupportsIndex

import numpy as np
from jaxtyping import Num, Shaped

from .._arguments import whole_array
from .._errors import InputError
from ..results import fingerprint
from ._content import source_fingerprint
from ._dataset import Dataset, Held, checked_class_names
from ._pixels import ValueRange, check_pixels
from ._records import RecordOptions, is_foreign, load_records, split_of

# For arrays without class names; the largest public sets have some twenty thousand.
_MOST_CLASSES = 100_000


@dataclass(frozen=True, eq=False)
class ArraySource:
    """Arrays as a random-access source.

    Attributes:
      images: `[images, height, width, channels]`, uint8 or floating point.
      labels: `[images]`.
    """

    images: Num[np.ndarray, "images height width channels"]
    labels: Num[np.ndarray, " images"]

    @property
    def held(self) -> Held:
        """The images, all of them."""
        return Held(self.images, np.arange(len(self.images)))

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: SupportsIndex) -> Mapping[str, Any]:
        return {"image": self.images[index], "label": int(self.labels[index])}


def load(
    images: Shaped[np.ndarray, ...],
    labels: Shaped[np.ndarray, ...],
    split: str,
    class_names: Sequence[str] | None,
    value_range: ValueRange,
) -> Dataset:
    """Arrays as a data set; without `class_names` the classes are named by their numbers.

    Raises:
      InputError: shapes, types, pixels or labels cannot be used.
    """
    if images.ndim != 4 or labels.shape != images.shape[:1]:
        raise InputError(
            f"images of shape {images.shape} with labels of shape {labels.shape}: give images "
            "[images, height, width, channels] and labels [images]"
        )
    if images.dtype != np.uint8 and not np.issubdtype(images.dtype, np.floating):
        raise InputError(
            f"images of type {images.dtype}: give uint8 (0 to 255) or floating point (0 to 1)"
        )
    if len(images) == 0:
        raise InputError("data 'arrays' holds no images")
    labels = whole_array(labels, "labels", " of data 'arrays'")
    count = int(labels.max()) + 1
    if class_names is None and count > _MOST_CLASSES:
        raise InputError(
            f"label {count - 1} of image {labels.argmax()} without class_names: there would be "
            f"{count:,} classes. Number the classes from 0, or give class_names"
        )
    data = Dataset(
        source=ArraySource(images, labels),
        class_names=checked_class_names(
            range(count) if class_names is None else class_names, "data 'arrays'"
        ),
        channels=images.shape[-1],
        name="arrays",
        split=split,
        fingerprint=fingerprint({"images": images, "labels": labels}),
        value_range=value_range,
    )
    check_pixels(images, data.describe, data.value_range)
    # Reading the labels checks them.
    _ = data.labels
    return data


def load_source(
    source: Any,
    split: str | None,
    class_names: Sequence[str] | None,
    value_range: ValueRange,
    options: RecordOptions,
) -> Dataset:
    """A random-access source as a data set; its labels are checked as they are read.

    Records of PyTorch and Hugging Face are recognized by their content.

    Raises:
      InputError: it is empty, its records have another form, or the classes are not named.
    """
    source = split_of(source, split)
    name = type(source).__name__
    indexed = hasattr(source, "__len__") and hasattr(source, "__getitem__")
    if not indexed or isinstance(source, Mapping):
        raise InputError(f"data of type {name}: {_way_out(source)}")
    if len(source) == 0:
        raise InputError(f"data {name!r} holds no images")
    first = source[0]
    if is_foreign(source, first, options):
        return load_records(source, first, split, class_names, value_range, options)
    split = split or "all"
    if class_names is None:
        raise InputError(f"data {name!r} does not name its classes: give class_names")
    names = checked_class_names(class_names, f"data {name!r}")
    if not isinstance(first, Mapping):
        raise InputError(
            f"record 0 of data {name!r} is of type {type(first).__name__}: give a mapping of "
            "'image' and 'label', or (image, label); arrays go in a pair, (images, labels)"
        )
    if not {"image", "label"} <= set(first) or np.ndim(first["image"]) != 3:
        raise InputError(
            f"record 0 of data {name!r} has the fields {sorted(first)}: give an 'image' "
            "[height, width, channels] and a 'label', or name the fields with image= and label="
        )
    return Dataset(
        source=source,
        class_names=names,
        channels=np.shape(first["image"])[-1],
        name=name,
        split=split,
        fingerprint=source_fingerprint(source, (name, len(source), split, names)),
        value_range=value_range,
    )


def _way_out(source: Any) -> str:
    """What to give in place of something that is not a random-access source."""
    if hasattr(source, "dataset") and hasattr(source, "batch_size"):
        return "give the data set that it loads, its attribute dataset, with random access"
    if hasattr(source, "__iter__") and not isinstance(source, str | bytes | Mapping):
        return (
            "it can only be read from front to back; give one with __len__ and __getitem__ (of "
            "Hugging Face's load it without streaming)"
        )
    return (
        "give 'digits', 'tfds:NAME', 'folder:PATH', a pair of arrays, a data set of PyTorch or "
        "Hugging Face, or an object with __len__ and __getitem__"
    )
