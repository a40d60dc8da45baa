"""Some images of a data set."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any, SupportsIndex

import numpy as np
from jaxtyping import Int
from numpy.typing import ArrayLike

from .._arguments import whole_array
from .._errors import InputError
from ._dataset import Dataset, Held, check_dataset


class _Chosen:
    """Random access to chosen records of a data set."""

    def __init__(self, data: Dataset, indices: Int[np.ndarray, " images"]) -> None:
        self._data = data
        self._indices = indices

    @property
    def labels(self) -> Int[np.ndarray, " images"]:
        return self._data.labels[self._indices]

    @property
    def held(self) -> Held | None:
        held = self._data.held
        return held and Held(held.images, held.positions[self._indices])

    @property
    def image_dtype(self) -> Any:
        return self._data.image_dtype

    def describe(self, index: int) -> str:
        return self._data.describe(int(self._indices[index]))

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: SupportsIndex) -> Mapping[str, Any]:
        return self._data[int(self._indices[index])]


def subset(data: Dataset, indices: ArrayLike) -> Dataset:
    """Some images of a data set, in the order given; all class names stay.

    Args:
      data: the images.
      indices: `[images]`, numbers of the images to keep.

    Returns:
      The chosen images.

    Raises:
      InputError: there are none, or an index is outside the data.
    """
    check_dataset(data)
    chosen = checked_indices(indices, len(data), data.name)
    digest = hashlib.sha256(f"{data.fingerprint} ".encode() + chosen.tobytes())
    return dataclasses.replace(data, source=_Chosen(data, chosen), fingerprint=digest.hexdigest())


def checked_indices(indices: ArrayLike, images: int, name: str) -> Int[np.ndarray, " chosen"]:
    """Indices of images as int64.

    Args:
      indices: what was given.
      images: how many there are.
      name: the name of the data, for messages.

    Raises:
      InputError: there are none, or an index is outside the data.
    """
    chosen = whole_array(indices, "indices", f" of images of data {name!r}")
    if chosen.ndim != 1 or len(chosen) == 0:
        raise InputError(f"indices of shape {chosen.shape}: give a list of at least one image")
    wrong = chosen[(chosen < 0) | (chosen >= images)]
    if len(wrong):
        raise InputError(f"image {wrong[0]} of data {name!r}: give 0 to {images - 1}")
    return chosen


def of_class(data: Dataset, name: str) -> Dataset:
    """The images of one class.

    Args:
      data: the images.
      name: the class's name.

    Returns:
      The images with this label; all class names stay.

    Raises:
      InputError: no class has this name, or it has no images.
    """
    check_dataset(data)
    indices = np.flatnonzero(data.labels == data.class_index(name))
    if len(indices) == 0:
        raise InputError(f"class {name!r} has no images in data {data.name!r}: choose another")
    return subset(data, indices)
