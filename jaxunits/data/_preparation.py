"""Records as a network reads them, one by one or many at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from ._augmentation import Augmentation
from ._dataset import Dataset, Held
from ._pixels import check_pixels
from ._preprocessing import Preprocessing, as_read

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Preparation:
    """What happens to the images of a data set on their way to a network.

    Attributes:
      data: the images.
      preprocessing: what the network expects.
      augmentation: random changes, if any.
      numbers: `[images, numbers]`, what the random changes depend on; no columns without any.
      standardized: whether images are standardized, or stay uint8.
    """

    data: Dataset
    preprocessing: Preprocessing
    augmentation: Augmentation | None
    numbers: Float[np.ndarray, "images numbers"]
    standardized: bool = True

    @property
    def held(self) -> Held | None:
        """The images, if they lie in an array at the size at which the network reads them."""
        held, preprocessing = self.data.held, self.preprocessing
        if held is None or preprocessing.resize is not None:
            return None
        if self.augmentation is not None and self.augmentation.crop == "resized":
            return None
        return held if held.images.shape[1:3] == preprocessing.size else None

    def one(self, index: int) -> Arrays:
        """Image and label of a record."""
        record = self.data[index]
        label = self.data.check_label(record["label"], index)
        pixels = np.asarray(record["image"])
        check_pixels(pixels[None], lambda _: self.data.describe(index), self.data.value_range)
        if self.augmentation is None:
            pixels = self.preprocessing.fit(pixels)
        else:
            pixels = self.augmentation(pixels, self.preprocessing, self.numbers[index])
        images = as_read(self.preprocessing, pixels, standardized=self.standardized)
        return {"images": images, "labels": np.asarray(label, np.int32)}

    def many(self, held: Held, indices: Int[np.ndarray, " images"]) -> Arrays:
        """Images and labels of many records, out of the array that holds them."""
        pixels = held.images[held.positions[indices]]
        check_pixels(
            pixels,
            lambda position: self.data.describe(int(indices[position])),
            self.data.value_range,
        )
        if self.augmentation is not None:
            pixels = self.augmentation.many(pixels, self.numbers[indices])
        images = as_read(self.preprocessing, pixels, standardized=self.standardized)
        return {"images": images, "labels": self.data.labels[indices].astype(np.int32)}
