"""Concepts computed from the images, for data without annotations."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, SupportsIndex

import numpy as np
from jaxtyping import Int32, Num

from ..._arguments import check_real, shown
from ..._errors import InputError, unknown_name
from .._dataset import Dataset, check_dataset
from .._pixels import check_pixels
from . import _colors, _edges, _quadrants
from ._concepts import Annotated, Concepts

KINDS = ("quadrants", "colors", "edges")


@dataclass(frozen=True, eq=False)
class ComputedSource:
    """Images of a data set, with label maps made from their pixels.

    Attributes:
      data: the images.
      kinds: what is computed.
      firsts: the index of each kind's first concept.
      contrast: the smallest contrast of an edge.
    """

    data: Dataset
    kinds: tuple[str, ...]
    firsts: tuple[int, ...]
    contrast: float

    @property
    def image_dtype(self) -> Any:
        return self.data.image_dtype

    def __len__(self) -> int:
        return len(self.data)

    def image(self, index: SupportsIndex) -> Num[np.ndarray, "height width channels"]:
        image = np.asarray(self.data[index]["image"])
        check_pixels(image[None], lambda _: self.data.describe(int(index)), self.data.value_range)
        return image

    def __getitem__(self, index: SupportsIndex) -> Annotated:
        image = self.image(index)
        maps = []
        for kind, first in zip(self.kinds, self.firsts, strict=True):
            labels = self._labels(kind, image)
            maps.append(np.where(labels < 0, -1, labels + first))
        return Annotated(image, np.stack(maps))

    def _labels(
        self, kind: str, image: Num[np.ndarray, "height width channels"]
    ) -> Int32[np.ndarray, "height width"]:
        if kind == "quadrants":
            return _quadrants.quadrants(image)
        if kind == "colors":
            return _colors.colors(image)
        return _edges.edges(image, self.contrast)


def computed(
    data: Dataset, kinds: Sequence[str] = KINDS, *, edge_contrast: float = 0.1
) -> Concepts:
    """Concepts computed from the pixels of any data set; each kind is a category.

    | kind | concepts |
    | --- | --- |
    | `"quadrants"` | the image's four quadrants |
    | `"colors"` | the eleven basic colors: the nearest of the xkcd survey's prototypes in CIELAB; black, gray and white for images of one channel |
    | `"edges"` | four orientations of edges, from Sobel's gradient of the brightness |

    Args:
      data: images of one or three channels.
      kinds: which of these.
      edge_contrast: the smallest step of brightness that counts as an edge, where white is 1.

    Returns:
      The images with masks, which are computed when they are read.

    Raises:
      InputError: a kind is unknown, named twice or none is given, the contrast is not above 0, or
        the images have another number of channels.
    """  # noqa: E501
    check_dataset(data)
    check_real(edge_contrast=edge_contrast)
    if isinstance(kinds, str) or not isinstance(kinds, Collection):
        raise InputError(f"kinds={shown(kinds)}: give a list, such as ['quadrants', 'edges']")
    for kind in kinds:
        if not isinstance(kind, str) or kind not in KINDS:
            raise unknown_name("kind", kind, KINDS, "ju.data.concepts.computed")
    if not kinds or len(set(kinds)) < len(kinds):
        raise InputError(f"kinds {tuple(kinds)}: give at least one of them, each once")
    if not 0 < edge_contrast <= 1:
        raise InputError(f"edge_contrast={edge_contrast}: give a number above 0, to 1")
    if data.channels not in (1, 3):
        raise InputError(
            f"data {data.name!r} has {data.channels} channels: concepts are computed for 1 or 3"
        )
    known = {
        "quadrants": _quadrants.NAMES,
        "colors": _colors.NAMES if data.channels == 3 else _colors.GRAY_NAMES,
        "edges": _edges.NAMES,
    }
    sizes = [len(known[kind]) for kind in kinds]
    firsts = tuple(int(first) for first in np.cumsum([0, *sizes[:-1]]))
    settings = repr((data.fingerprint, tuple(kinds), edge_contrast))
    return Concepts(
        source=ComputedSource(data, tuple(kinds), firsts, edge_contrast),
        names=tuple(name for kind in kinds for name in known[kind]),
        categories=tuple(kind for kind in kinds for _ in known[kind]),
        channels=data.channels,
        name=data.name,
        split=data.split,
        fingerprint=hashlib.sha256(settings.encode()).hexdigest(),
        value_range=data.value_range,
    )
