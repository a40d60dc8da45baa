"""The passes of network dissection over the images."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float32, Int64, PyTree

from ..data.concepts import Annotations, Concepts, annotated_images, images
from ..execution import (
    Execution,
    Look,
    LookEngine,
    OnePass,
    Read,
    Reducer,
    Seen,
    array_bytes,
    check_finite,
    finite_mark,
    image_shape,
    pixel_dtype,
    reading,
)
from ._interpolation import Upsampling
from ._maps import Maps, UnitMaps
from ._overlap import overlaps, rows_at_once, upsampled
from ._thresholds import Values


class Counts(NamedTuple):
    """Pixel counts over some images.

    Attributes:
      intersection: active ones with the concept.
      activated: active ones.
      labeled: ones with the concept.
    """

    intersection: Int64[np.ndarray, "units concepts"]
    activated: Int64[np.ndarray, " units"]
    labeled: Int64[np.ndarray, " concepts"]


@dataclass(frozen=True)
class _Overlap(Look):
    """A function of parameters and annotated images: the pixels that units and concepts share.

    Attributes:
      maps: of the units.
      rows: rows of the grid that are held at once.
    """

    maps: Maps
    rows: int

    def __call__(
        self, params: PyTree, inputs: Annotations, arguments: tuple[Array, Upsampling]
    ) -> tuple[Array, Array, Array]:
        """Pixels of both, pixels of each concept, and a marker of NaN for each image."""
        thresholds, upsampling = arguments
        maps = self.maps(params, inputs, ())
        both, pixels = overlaps(
            maps,
            thresholds,
            inputs.label_maps,
            upsampling,
            rows=self.rows,
            present=inputs.concepts.shape[1],
        )
        return both, pixels, finite_mark(maps)


@dataclass(frozen=True, eq=False)
class Passes:
    """What passes read.

    Attributes:
      maps: of the layer's units.
      concepts: the images and masks.
      upsampling: of the maps to the grid on which they are compared with the masks.
      upsampled: whether thresholds are of maps on the grid, or as the layer gives them.
      grid_memory: bytes that upsampled maps may take.
      execution: the execution options.
    """

    maps: UnitMaps
    concepts: Concepts
    upsampling: Upsampling
    upsampled: bool
    grid_memory: int
    execution: Execution

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the grid."""
        return len(self.upsampling.down), len(self.upsampling.across)

    def values(self, one_pass: OnePass, reducer: Reducer) -> Any:
        """What a reducer keeps of every unit's values."""
        of_images = dataclasses.replace(
            reducer, observe=lambda seen: reducer.observe(self._values(seen))
        )
        read = reading(images(self.concepts), self.maps.network.preprocessing, self.execution)
        return one_pass(of_images, self._engine(self.maps.look), read)

    def counts(self, one_pass: OnePass, thresholds: Float32[np.ndarray, " units"]) -> Counts:
        """Active and labeled pixels."""
        rows = rows_at_once(self.maps.units, self.size, self.grid_memory)
        engine = self._engine(_Overlap(self.maps.look, rows), (thresholds, self.upsampling))
        found: Counts = one_pass(
            Reducer("counts", Counts, self._counted), engine, self._annotated()
        )
        return found

    def _engine(self, look: Look, arguments: Any = ()) -> Callable[[Read], LookEngine]:
        return lambda read: LookEngine(
            *(self.maps.network, look, read, self.execution),
            arguments=arguments,
            what=f"maps of layer {self.maps.layer!r}",
        )

    def _annotated(self) -> Read:
        """Reads images with their label maps."""
        preprocessing = self.maps.network.preprocessing
        dtype = pixel_dtype(preprocessing, self.concepts)

        def annotated(start: int, stop: int) -> Annotations:
            return annotated_images(
                *(self.concepts, preprocessing, self.size, start, stop),
                threads=self.execution.decoding_threads,
                standardized=dtype != np.uint8,
            )

        example = Annotations(
            image_shape(preprocessing, dtype),
            jax.ShapeDtypeStruct((1, *self.size), np.int16),
            jax.ShapeDtypeStruct((1,), np.int32),
        )
        # Most images have few label maps.
        image_bytes = array_bytes((example.images, *[example.label_maps] * 4))
        return Read(len(self.concepts), image_bytes, example, annotated)

    def _values(self, seen: Iterator[Seen]) -> Iterator[Values]:
        """Every unit's values, as the layer gives them or interpolated to the grid."""
        height, width = self.size
        rows = rows_at_once(self.maps.units, self.size, self.grid_memory, counted=False)
        for batch in seen:
            check_finite(batch.found, batch.image, self._what, self.concepts.name)
            if not self.upsampled:
                yield np.ascontiguousarray(batch.found.reshape(-1, self.maps.units).T)
                continue
            for one in batch.found:
                for first in range(0, height, rows):
                    values = np.asarray(upsampled(one, first, self.upsampling, rows=rows))
                    yield values[:, : height - first].reshape(-1, min(rows, height - first) * width)

    def _counted(self, seen: Iterator[Seen]) -> Counts:
        concepts, units = len(self.concepts.names), self.maps.units
        # The last place takes what fills the rows of images with fewer concepts.
        intersection = np.zeros((concepts + 1, units), np.int64)
        labeled = np.zeros(concepts + 1, np.int64)
        activated = np.zeros(units, np.int64)
        for batch in seen:
            both, pixels, sums = batch.found
            check_finite(sums, batch.image, self._what, self.concepts.name)
            for image, present in enumerate(batch.inputs.concepts):
                np.add.at(intersection, present, both[image, :, :-1].T.astype(np.int64))
                np.add.at(labeled, present, pixels[image, :-1].astype(np.int64))
                activated += both[image, :, -1].astype(np.int64)
        return Counts(np.ascontiguousarray(intersection[:-1].T), activated, labeled[:-1])

    @property
    def _what(self) -> str:
        return f"activation of layer {self.maps.layer!r}"
