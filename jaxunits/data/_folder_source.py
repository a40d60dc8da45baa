"""Image files of class folders as a random-access source."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, SupportsIndex

import numpy as np
from jaxtyping import Int, UInt8

from .._reading import USUAL
from ._decoding import decode
from ._listing import ClassFolder


@dataclass(frozen=True, eq=False)
class FolderSource:
    """Image files as a random-access source, class by class, each in alphabetical order.

    Attributes:
      root: the folder above the classes.
      folders: the classes' folders, by label.
      channels: 1 reads every file as gray, 3 as RGB.
      formats: the only ones to decode.
      upright: whether images are turned as their EXIF orientation says.
    """

    root: Path
    folders: tuple[ClassFolder, ...]
    channels: int
    formats: tuple[str, ...] = USUAL
    upright: bool = True

    image_dtype: ClassVar[Any] = np.uint8

    @functools.cached_property
    def labels(self) -> Int[np.ndarray, " images"]:
        """The class of each image."""
        return np.repeat(np.arange(len(self.folders)), [len(folder) for folder in self.folders])

    @functools.cached_property
    def _starts(self) -> Int[np.ndarray, " classes"]:
        return np.searchsorted(self.labels, np.arange(len(self.folders)))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: SupportsIndex) -> Mapping[str, Any]:
        folder, file = self.place(index)
        path = self.root / folder.path(file)
        image = self._decode(path, self.channels)
        return {"image": image, "label": int(self.labels[index])}

    def stored_channels(self, index: int) -> int:
        """How many channels an image has in its file.

        Raises:
          InputError: it cannot be decoded.
        """
        folder, file = self.place(index)
        return self._decode(self.root / folder.path(file), None).shape[-1]

    def _decode(
        self, path: Path, channels: int | None
    ) -> UInt8[np.ndarray, "height width channels"]:
        return decode(
            path,
            channels,
            f"image file {path}",
            formats=self.formats,
            upright=self.upright,
        )

    def place(self, index: SupportsIndex) -> tuple[ClassFolder, int]:
        """The folder of an image and its number there."""
        position = range(len(self))[index]
        label = self.labels[position]
        return self.folders[label], position - int(self._starts[label])
