"""Data sets of PyTorch and Hugging Face, recognized by content, as random-access sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, SupportsIndex

import numpy as np
from jaxtyping import Int

from .._arguments import is_whole, shown
from .._errors import InputError, unknown_name
from ._content import sampled, source_fingerprint
from ._dataset import Dataset, checked_class_names
from ._fields import Fields, class_names_of, known_labels, name_of, record_fields, wrapped
from ._images import ImageReader, is_tensor
from ._pixels import ValueRange
from ._standardized import Normalized, standardized_by

# Records that are read twice, to see whether they stay what they are.
_TWICE = 16


@dataclass(frozen=True)
class RecordOptions:
    """What the user specifies about records; see `jaxunits.data.load`."""

    image: str | int | None = None
    label: str | int | None = None
    channels: int | None = None
    channels_first: bool | None = None
    normalized: Normalized | None = None


@dataclass(frozen=True, eq=False)
class RecordSource:
    """Records read as `image` (`[height, width, channels]`) and `label`.

    Attributes:
      records: random access to tuples or mappings.
      name: of the data, for messages.
      fields: which of a record's fields are read.
      reader: from an image of any kind to an array.
      labels: of all records, where they are known without reading the images.
      image_dtype: uint8 where all images are that.
    """

    records: Any
    name: str
    fields: Fields
    reader: ImageReader
    labels: Int[np.ndarray, " images"] | None
    image_dtype: Any

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: SupportsIndex) -> Mapping[str, Any]:
        position = range(len(self))[index]
        image, label = self.fields.of(self.records[position], position, self.name)
        known = None if self.labels is None else int(self.labels[position])
        if known is not None and not _same(label, known):
            raise InputError(
                f"label {label!r} of image {position} in data {self.name!r}, whose list of labels "
                f"says {known}: correct one of them"
            )
        return {
            "image": self.reader(image, f"image {position} of data {self.name!r}"),
            "label": label,
        }


def is_foreign(source: Any, first: Any, options: RecordOptions) -> bool:
    """Whether records are of another form than `image` and `label` in arrays."""
    if hasattr(source, "features") or isinstance(first, tuple | list) or options != RecordOptions():
        return True
    image = first.get("image") if isinstance(first, Mapping) else None
    return is_tensor(image) or hasattr(image, "getexif")


def split_of(source: Any, split: str | None) -> Any:
    """The part of a dictionary of Hugging Face data sets; anything else as it is.

    Raises:
      InputError: no part is named, or one that does not exist.
    """
    parts = isinstance(source, Mapping) and len(source) > 0
    if not parts or not all(hasattr(part, "features") for part in source.values()):
        return source
    if split not in source:
        raise unknown_name("split", split, source, f"data of type {type(source).__name__}")
    return source[split]


def load_records(
    source: Any,
    first: Any,
    split: str | None,
    class_names: Sequence[str] | None,
    value_range: ValueRange,
    options: RecordOptions,
) -> Dataset:
    """Records of PyTorch or Hugging Face as a data set; see `jaxunits.data.load`.

    Raises:
      InputError: fields are missing, images cannot be read or change when they are read again,
        classes are not named, or images are standardized already without `normalized=`.
    """
    name = name_of(source)
    fields = record_fields(source, first, options.image, options.label, name)
    if value_range == (0.0, 1.0):
        _check_normalized(source, options.normalized, name)
    if class_names is None:
        class_names = class_names_of(source, fields.label)
    if class_names is None:
        raise InputError(f"data {name!r} does not name its classes: give class_names")
    names = checked_class_names(class_names, f"data {name!r}")
    reader = ImageReader.of(
        fields.of(first, 0, name)[0],
        f"image 0 of data {name!r}",
        channels=options.channels,
        channels_first=options.channels_first,
        normalized=options.normalized,
        value_range=value_range,
    )
    kind = np.uint8 if reader.is_uint8 else None
    unknown = RecordSource(source, name, fields, reader, None, kind)
    labels = _checked_twice(unknown, known_labels(source, fields.label))
    records = RecordSource(source, name, fields, reader, labels, kind)
    part = split or str(getattr(source, "split", None) or "all")
    return Dataset(
        source=records,
        class_names=names,
        channels=reader.channels,
        name=name,
        split=part,
        fingerprint=source_fingerprint(records, (name, len(records), part, names)),
        value_range=value_range,
    )


def _check_normalized(source: Any, normalized: Normalized | None, name: str) -> None:
    """Refuse images that a transform standardizes unless `normalized=` says the same."""
    found = next(filter(None, map(standardized_by, wrapped(source))), None)
    if found is None or (normalized is not None and found.is_like(normalized)):
        return
    given = "" if normalized is None else f", and normalized={shown(normalized)} says otherwise"
    raise InputError(
        f"a transform of data {name!r} standardizes its images with mean {found.mean} and std "
        f"{found.std}{given}: leave it out, since the network's preprocessing standardizes, or "
        f"give normalized=({found.mean}, {found.std}), which undoes it"
    )


def _checked_twice(
    source: RecordSource, labels: Int[np.ndarray, " images"] | None
) -> Int[np.ndarray, " images"] | None:
    """The labels that are known beforehand, if records have the same ones.

    Raises:
      InputError: a record differs when it is read again.
    """
    if labels is not None and labels.shape != (len(source),):
        labels = None
    for index in sampled(len(source), _TWICE).tolist():
        once, again = source[index], source[index]
        # An invalid label is refused where it is read.
        changed = is_whole(once["label"]) and not _same(once["label"], again["label"])
        if changed or not np.array_equal(once["image"], again["image"], equal_nan=True):
            raise InputError(
                f"image {index} of data {source.name!r} differs when it is read again: "
                "leave random changes out of its transform (ju.data.Augmentation is for training)"
            )
        if labels is not None and not _same(once["label"], labels[index]):
            labels = None
    return labels


def _same(label: Any, other: Any) -> bool:
    """Whether two labels are the same integer."""
    return is_whole(label) and is_whole(other) and int(label) == int(other)
