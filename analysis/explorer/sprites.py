"""Small pictures of one size, many in one file."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from jaxunits import files

_FOLDER = "explorer_files"
# Pictures in one file: browsers hold each file they show decoded.
_IN_ONE = 1024
# Up to this side pixels are kept as they are; larger ones as WebP of this quality.
_SHARP = 64
_QUALITY = 82
_KINDS = {"webp": "image/webp", "png": "image/png"}
# How dark a covered place is, of 255.
_COVERED = 191


class Sprites:
    """The pictures of a page: in the page itself, or in a folder beside it where they are many.

    Attributes:
      content: the files, each with its suffix.
    """

    def __init__(self) -> None:
        self.content: list[tuple[str, bytes]] = []

    def add(self, pictures: Sequence[UInt8[np.ndarray, "y x colors"]]) -> dict[str, Any]:
        """Add pictures, which may differ in size and are shown in the middle of equal cells.

        Returns:
          What the page's scripts need to find each by its place.
        """
        cell = _cell(pictures)
        sharp = max(cell) <= _SHARP

        def encode(grid: UInt8[np.ndarray, "y x colors"]) -> tuple[str, bytes]:
            picture = Image.fromarray(grid[..., 0] if grid.shape[-1] == 1 else grid)
            if sharp:
                return "png", _file(picture, format="png")
            return "webp", _file(picture.convert("RGB"), format="webp", quality=_QUALITY, method=2)

        return self._sheets(pictures, cell, encode)

    def add_covers(self, active: Sequence[Bool[np.ndarray, "y x"]]) -> dict[str, Any]:
        """Add covers: transparent where something is active, dark elsewhere."""

        def encode(grid: UInt8[np.ndarray, "y x colors"]) -> tuple[str, bytes]:
            picture = Image.fromarray(grid[..., 0], "P")
            picture.putpalette([0, 0, 0, 255, 255, 255])
            return "png", _file(picture, format="png", bits=1, transparency=bytes([_COVERED, 0]))

        shown = [each[..., None].astype(np.uint8) for each in active]
        return self._sheets(shown, _cell(shown), encode)

    def _sheets(self, pictures: Sequence[np.ndarray], cell: Any, encode: Any) -> dict[str, Any]:
        columns = math.ceil(math.sqrt(min(len(pictures), _IN_ONE)))
        sheets = []
        for start in range(0, len(pictures), _IN_ONE):
            some = pictures[start : start + _IN_ONE]
            rows = -(-len(some) // columns)
            grid = np.zeros((rows * cell[0], columns * cell[1], some[0].shape[-1]), np.uint8)
            for place, picture in enumerate(some):
                row, column = divmod(place, columns)
                top = row * cell[0] + (cell[0] - picture.shape[0]) // 2
                left = column * cell[1] + (cell[1] - picture.shape[1]) // 2
                grid[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
            sheets.append({"file": len(self.content), "rows": rows})
            self.content.append(encode(grid))
        return {"sheets": sheets, "columns": columns, "each": _IN_ONE, "cell": list(cell)}

    def embedded(self) -> list[str]:
        """The files as addresses that hold them."""
        return [
            f"data:{_KINDS[suffix]};base64,{base64.b64encode(content).decode()}"
            for suffix, content in self.content
        ]

    def written(self, folder: Path) -> list[str]:
        """The files as addresses beside the page, after they were written there.

        Args:
          folder: that of the page.
        """
        names = [
            f"{_FOLDER}/{number:04d}.{suffix}" for number, (suffix, _) in enumerate(self.content)
        ]
        for name, (_, content) in zip(names, self.content, strict=True):
            files.write_atomically(folder / name, content)
        return names


def remove_others(folder: Path, names: Sequence[str]) -> None:
    """Remove the files of an earlier page that the page there does not show.

    Args:
      folder: that of the page.
      names: what it shows.
    """
    written = folder / _FOLDER
    for path in written.glob("[0-9][0-9][0-9][0-9].*"):
        if f"{_FOLDER}/{path.name}" not in names:
            path.unlink()
    if written.is_dir() and not any(written.iterdir()):
        written.rmdir()


def _cell(pictures: Sequence[np.ndarray]) -> tuple[int, int]:
    """The height and width in which all pictures have room."""
    height = max(each.shape[0] for each in pictures)
    width = max(each.shape[1] for each in pictures)
    if max(height, width) <= _SHARP:
        return height, width
    # WebP mixes the colors of neighbors within blocks of 16 pixels.
    return -(-height // 16) * 16, -(-width // 16) * 16


def _file(picture: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, **options)
    return file.getvalue()
