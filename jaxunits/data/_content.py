"""What a fingerprint covers of images that are not in memory: a fixed sample of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int64

from .._arguments import as_array, is_whole, whole_array
from ..results import fingerprint

# Files or records whose content counts: a fraction of a second, however many there are.
SAMPLE = 64
# Records that are read for their labels too, if the source has no list of labels.
_LABELED = 1024


def sampled(images: int, most: int = SAMPLE) -> Int64[np.ndarray, " sampled"]:
    """Indices of the images that count: all, or so many evenly spaced, the first and the last too.

    Args:
      images: how many there are.
      most: how many count at most.
    """
    return np.linspace(0, images - 1, min(images, most)).round().astype(np.int64)


def source_fingerprint(source: Any, settings: Sequence[Any]) -> str:
    """The fingerprint of a random-access source of records.

    A list, of records of any form, counts with every record. Of others all labels count if
    `source.labels` has them, with the records of a sample; otherwise the records of a larger
    sample, with their labels.

    Args:
      source: records of `image` and `label`.
      settings: what counts beside the records, as text would show it.

    Raises:
      InputError: `source.labels` are not integers, or an image is ragged.
    """
    labels = getattr(source, "labels", None)
    most = SAMPLE if labels is not None else _LABELED
    listed = isinstance(getattr(source, "records", source), list)
    chosen = range(len(source)) if listed else sampled(len(source), most).tolist()
    known: Any = (
        [] if labels is None else whole_array(labels, "labels", f" of data {settings[0]!r}")
    )
    records = hashlib.sha256()
    for index in chosen:
        records.update(_digest(source[index], f"image {index} of data {settings[0]!r}"))
    return fingerprint(
        {
            "settings": np.frombuffer(repr(tuple(settings)).encode(), np.uint8),
            "labels": np.asarray(known, np.int64),
            "records": np.frombuffer(records.digest(), np.uint8),
        }
    )


def _digest(record: Mapping[str, Any], name: str) -> bytes:
    image, label = as_array(record["image"], name), record["label"]
    described = fingerprint({"image": image}) if image.dtype != object else repr(image)
    # An invalid label is refused where it is read.
    shown = int(label) if is_whole(label) else label
    return hashlib.sha256(f"{described} {shown!r}\n".encode()).digest()
