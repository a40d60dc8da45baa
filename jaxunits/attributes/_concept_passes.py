"""The passes of network dissection over the images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from ..data import batches
from ..data.concepts import Concepts, concept_batches, images
from ._interpolation import Upsampling
from ._maps import UnitMaps
from ._overlap import overlaps, rows_at_once, upsampled
from ._thresholds import Values

Report = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Counts:
    """Pixels, over all images.

    Attributes:
      intersection: active ones with the concept.
      activated: active ones.
      labelled: ones with the concept.
    """

    intersection: Int64[np.ndarray, "units concepts"]
    activated: Int64[np.ndarray, " units"]
    labelled: Int64[np.ndarray, " concepts"]


@dataclass(frozen=True, eq=False)
class Passes:
    """What is read, and how much of it at once.

    Attributes:
      maps: of the layer's units.
      concepts: the images and masks.
      upsampling: of the maps to the grid on which they are compared with the masks.
      batch_size: images a batch.
      max_memory: bytes that upsampled maps may take.
    """

    maps: UnitMaps
    concepts: Concepts
    upsampling: Upsampling
    batch_size: int
    max_memory: int

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the grid."""
        return len(self.upsampling.down), len(self.upsampling.across)

    def values(self, report: Report) -> Iterator[Values]:
        """Every unit's values, as the layer gives them."""
        for maps in self._batches(report):
            yield np.ascontiguousarray(maps.reshape(-1, self.maps.units).T)

    def upsampled_values(self, report: Report) -> Iterator[Values]:
        """Every unit's values, interpolated to the grid."""
        height, width = self.size
        rows = rows_at_once(self.maps.units, self.size, self.max_memory, counted=False)
        for maps in self._batches(report):
            for one in maps:
                for first in range(0, height, rows):
                    values = np.asarray(upsampled(one, first, self.upsampling, rows=rows))
                    yield values[:, : height - first].reshape(-1, min(rows, height - first) * width)

    def counts(self, thresholds: Float32[np.ndarray, " units"], report: Report) -> Counts:
        """Active and labelled pixels."""
        rows = rows_at_once(self.maps.units, self.size, self.max_memory)
        concepts = len(self.concepts.names)
        # The last place takes what fills the rows of images with fewer concepts.
        intersection = np.zeros((concepts + 1, self.maps.units), np.int64)
        labelled = np.zeros(concepts + 1, np.int64)
        activated = np.zeros(self.maps.units, np.int64)
        done = 0
        for batch in concept_batches(
            self.concepts, self.maps.network.preprocessing, self.batch_size, self.size
        ):
            both, pixels = overlaps(
                self.maps(batch.images, done),
                thresholds,
                batch.label_maps,
                self.upsampling,
                rows=rows,
                present=batch.concepts.shape[1],
            )
            both, pixels = np.asarray(both).astype(np.int64), np.asarray(pixels).astype(np.int64)
            count = int(batch.valid.sum())
            for image in range(count):
                np.add.at(intersection, batch.concepts[image], both[image, :, :-1].T)
                np.add.at(labelled, batch.concepts[image], pixels[image, :-1])
                activated += both[image, :, -1]
            done += count
            report(count)
        return Counts(intersection[:-1].T, activated, labelled[:-1])

    def _batches(
        self, report: Report
    ) -> Iterator[Float32[np.ndarray, "images height width units"]]:
        done = 0
        for batch in batches(
            images(self.concepts), self.maps.network.preprocessing, self.batch_size
        ):
            count = int(batch.valid.sum())
            yield np.asarray(self.maps(batch.images, done))[:count]
            done += count
            report(count)
