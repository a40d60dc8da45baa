"""Random labels, for networks that memorize."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any, SupportsIndex

import numpy as np
from jaxtyping import Int

from .._arguments import check_real
from .._errors import InputError
from ._dataset import Dataset, Held, check_dataset
from ._random import generator


class _Relabeled:
    """The records of a data set with other labels."""

    def __init__(self, data: Dataset, labels: Int[np.ndarray, " images"]) -> None:
        self._data = data
        self.labels = labels

    @property
    def held(self) -> Held | None:
        return self._data.held

    @property
    def image_dtype(self) -> Any:
        return self._data.image_dtype

    def describe(self, index: int) -> str:
        return self._data.describe(index)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: SupportsIndex) -> Mapping[str, Any]:
        return {**self._data[index], "label": int(self.labels[index])}


def random_labels(data: Dataset, fraction: float, *, seed: int = 0) -> Dataset:
    """The same images, a random `fraction` of them with labels drawn uniformly from all classes.

    Some of the drawn labels are right by chance. Networks that memorize such labels rely more on
    single directions (Zhang et al. 2017, §2.1; Morcos et al. 2018, §3.1).

    Args:
      data: the images.
      fraction: share of the images, rounded to whole images; from 0 to 1.
      seed: the seed of the choice of images and of their labels.

    Returns:
      A data set of the same images, with the drawn labels.

    Raises:
      InputError: the fraction is outside 0 to 1, or a label is outside the classes.
    """
    check_dataset(data)
    check_real(fraction=fraction)
    if not 0 <= fraction <= 1:
        raise InputError(f"fraction={fraction}: give a number from 0 to 1")
    random = generator("random labels", seed=seed)
    chosen = np.argsort(random.random(len(data)), kind="stable")[: round(fraction * len(data))]
    labels = data.labels.copy()
    labels[chosen] = random.integers(len(data.class_names), size=len(chosen))
    digest = hashlib.sha256(f"{data.fingerprint} random labels ".encode() + labels.tobytes())
    return dataclasses.replace(
        data, source=_Relabeled(data, labels), fingerprint=digest.hexdigest()
    )
