"""Image files to pixels and mask files to numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from ..._errors import InputError
from .._content import sampled
from .._decoding import decode, open_image, orientation, stored_bytes

WAY_OUT = "replace it, or take its image out of the data"
_SINGLE = {"1", "L", "P", "I", "I;16"}
# Pillow spreads gray of 2 and 4 bits over 0 to 255, and keeps of 16 bits of color the upper 8.
_SPREAD = {"L;2": 85, "L;4": 17}


def read_image(path: Path, channels: int) -> UInt8[np.ndarray, "height width channels"]:
    """The pixels of a PNG or JPEG, gray (1 channel) or RGB (3).

    Raises:
      InputError: the file is missing, corrupt or of another format, or has an EXIF orientation,
        so that its masks may be drawn on the pixels as they are stored or as they are shown.
    """
    if not path.exists():
        raise InputError(f"image file {path} does not exist: {WAY_OUT}")
    turned = orientation(open_image(path, f"image file {path}", WAY_OUT).image)
    if turned != 1:
        raise InputError(
            f"image file {path} has the EXIF orientation {turned}, and its masks may be drawn "
            "either way: turn its pixels as its masks lie, and save it without the orientation"
        )
    return decode(path, channels, f"image file {path}", WAY_OUT)


def read_mask(file: bytes | Path, place: str) -> Int[np.ndarray, "rows columns channels"]:
    """What the pixels of a PNG store, never the colors they show: of a palette the indices.

    Args:
      file: its content or its path.
      place: what the file is called, for the error.

    Raises:
      InputError: the file is missing or corrupt, of another format (JPEG does not keep numbers),
        or has channels of 16 bits.
    """
    image, stored = open_image(file, place, WAY_OUT, formats=("PNG",))
    if image.mode in _SINGLE:
        return np.asarray(image).astype(np.int32)[..., None] // _SPREAD.get(stored, 1)
    if ";16" in stored:
        raise InputError(
            f"{place} has several channels of 16 bits: save it with 8 bits per channel"
        )
    return np.asarray(image.convert("RGB")).astype(np.int32)


def lookup(
    values: Int[np.ndarray, "*shape"], table: Int[np.ndarray, " values"], beyond: int = -1
) -> Int[np.ndarray, "*shape"]:
    """`table[values]`, and `beyond` for values that the table does not have."""
    inside = (values >= 0) & (values < len(table))
    return np.where(inside, table[np.where(inside, values, 0)], beyond).astype(np.int32)


def as_table(numbers: dict[int, int]) -> Int[np.ndarray, " values"]:
    """Concepts by the numbers that stand for them; -1 for the others."""
    table = np.full(max(numbers, default=0) + 1, -1, np.int32)
    table[list(numbers)] = list(numbers.values())
    return table


def files_fingerprint(root: Path, images: Sequence[Sequence[str]], settings: object) -> str:
    """A digest of the names, sizes and times of all files, and the content of a sample of images.

    Args:
      root: the folder that the files' names start from.
      images: the files of each image, its masks among them.
      settings: what counts beside the files, as text would show it.
    """
    known = {name: _size_and_time(root / name) for files in images for name in files}
    chosen = [name for index in sampled(len(images)).tolist() for name in images[index]]
    contents = [hashlib.sha256(stored_bytes(root / name)).hexdigest() for name in chosen]
    text = repr((images, list(known.items()), contents, settings))
    return hashlib.sha256(text.encode()).hexdigest()


def _size_and_time(path: Path) -> tuple[int, int] | None:
    """In bytes and ns; None of a file that is missing, which is refused where it is read."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_size, found.st_mtime_ns
