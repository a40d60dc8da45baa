"""Data sets of TensorFlow Datasets, read without TensorFlow."""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, SupportsIndex

import numpy as np
import tensorflow_datasets as tfds
from jaxtyping import Int

from .._errors import InputError, unknown_name
from . import _cache
from ._content import sampled
from ._dataset import Dataset
from ._decoding import decode

_AT_ONCE = 256
_KEPT_ABOVE = 100_000


@dataclass(frozen=True, eq=False)
class TfdsSource:
    """A TFDS data source whose images are decoded here, the same way on every machine.

    Attributes:
      records: random access to encoded images and their labels.
      channels: channels of every image.
      name: for errors.
      fingerprint: of the data set, by which its labels are kept.
    """

    records: Any
    channels: int
    name: str
    fingerprint: str

    image_dtype: ClassVar[Any] = np.uint8

    @property
    def labels(self) -> Int[np.ndarray, " images"]:
        """The label of every record; those of a large data set are kept in the user's cache."""
        if len(self) <= _KEPT_ABOVE:
            return self._read_labels()
        place = _cache.path_of("labels", self.fingerprint)
        kept = _cache.read(place).get("labels")
        if kept is not None and kept.shape == (len(self),):
            return kept
        labels = self._read_labels()
        _cache.write(place, {"labels": labels})
        return labels

    def _read_labels(self) -> Int[np.ndarray, " images"]:
        labels = np.empty(len(self), np.int64)
        for start in range(0, len(self), _AT_ONCE):
            chosen = range(len(self))[start : start + _AT_ONCE]
            records = self.records.__getitems__(list(chosen))
            labels[start : start + _AT_ONCE] = [record["label"] for record in records]
        return labels

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: SupportsIndex) -> Mapping[str, Any]:
        record = self.records[index]
        place = f"image {index} of data {self.name!r}"
        image = decode(record["image"], self.channels, place)
        return {"image": image, "label": int(record["label"])}


def load(name: str, split: str | None, data_dir: str | Path | None) -> Dataset:
    """A prepared TFDS data set by its name (`cifar10`, `imagenet2012`, `name/config:version`).

    Raises:
      InputError: there is no such data set or split, or it is not prepared for random access.
    """
    return from_builder(prepared_builder(name, data_dir), f"tfds:{name}", split)


def prepared_builder(name: str, data_dir: str | Path | None) -> tfds.core.DatasetBuilder:
    """The builder of a prepared TFDS data set.

    Raises:
      InputError: there is no such data set, or it is not prepared for random access.
    """
    try:
        with quiet():
            builder = tfds.builder(name, data_dir=data_dir, try_gcs=False)
    except tfds.core.DatasetNotFoundError as error:
        known = tfds.list_builders(with_community_datasets=False)
        raise unknown_name("data set", name, known, "TensorFlow Datasets") from error
    _check_prepared(builder, name)
    return builder


def check_split(builder: tfds.core.DatasetBuilder, name: str, split: str | None) -> None:
    """Refuse splits that a builder does not have; parts and sums of those it has are fine.

    Raises:
      InputError: there is no such split; the nearest name is offered.
    """
    splits = builder.info.splits
    if not all(part.partition("[")[0] in splits for part in (split or "").split("+")):
        raise unknown_name("split", (split or "").partition("[")[0], list(splits), f"data {name!r}")


def from_builder(builder: tfds.core.DatasetBuilder, name: str, split: str | None) -> Dataset:
    """A prepared builder's split as a data set.

    Raises:
      InputError: the split does not exist, or the records are not labeled images.
    """
    info = builder.info
    features = info.features
    if not {"image", "label"} <= set(features) or not hasattr(features["label"], "names"):
        raise InputError(
            f"data {name!r} has the features {sorted(features)}: an 'image' and a 'label' with "
            "class names are needed"
        )
    check_split(builder, name, split)
    skip = {"image": tfds.decode.SkipDecoding()}
    channels = features["image"].shape[-1]
    records = builder.as_data_source(split, decoders=skip)
    if len(records) == 0:
        raise InputError(f"split {split!r} of data {name!r} holds no images")
    sizes = [(part.name, part.num_examples, part.num_bytes) for part in info.splits.values()]
    settings = repr((info.full_name, sizes, split, content(records, "image", "label")))
    fingerprint = hashlib.sha256(settings.encode()).hexdigest()
    return Dataset(
        source=TfdsSource(records, channels, name, fingerprint),
        class_names=tuple(features["label"].names),
        channels=channels,
        name=name,
        split=str(split),
        fingerprint=fingerprint,
    )


def content(records: Any, *fields: str) -> str:
    """SHA-256 over some fields of the records of a sample, as they are stored."""
    digest = hashlib.sha256()
    chosen = sampled(len(records)).tolist()
    for record in records.__getitems__(chosen):
        for field in fields:
            stored = record[field]
            digest.update(stored if isinstance(stored, bytes) else repr(stored).encode())
    return digest.hexdigest()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Within, TFDS prints no messages, bars or warnings."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    tfds.disable_progress_bar()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        tfds.enable_progress_bar()
        logger.setLevel(level)


def _check_prepared(builder: tfds.core.DatasetBuilder, name: str) -> None:
    folder = builder.data_path
    if not builder.is_prepared():
        raise InputError(
            f"data set {name!r} is not prepared at {folder}: prepare it once with TensorFlow "
            f"(pip install 'jaxunits[tf]'; tfds build {name} --file_format=array_record), or name "
            "the folder that holds it with data_dir"
        )
    file_format = builder.info.file_format
    if file_format is None or file_format.value != "array_record":
        raise InputError(
            f"data set {name!r} at {folder} is prepared as {file_format}: prepare it again for "
            f"random access (tfds build {name} --file_format=array_record --overwrite)"
        )
