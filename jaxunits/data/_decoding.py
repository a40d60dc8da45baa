"""Image files to arrays, by Pillow alone, so that pixels are the same everywhere."""

from __future__ import annotations

import errno
import io
import os
import stat
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image, UnidentifiedImageError

from .._errors import InputError
from .._reading import USUAL

_MODES = {1: "L", 3: "RGB"}
_DEEP = {"I", "I;16", "I;16B"}
_GRAY = {"1", "L", "LA", *_DEEP}
_COLOR = {"P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"}
# Layouts of 16 bits that Pillow may hand over in 32.
_SIXTEEN = {"I;16", "I;16B"}
_HEADER = 32
_DAMAGED = (
    *(OSError, SyntaxError, ValueError, IndexError, KeyError, TypeError, struct.error),
    Image.DecompressionBombError,
)
# What is wrong with the path itself; other errors of the system (no more open files, a failing
# disk) say nothing about the image.
_UNREADABLE = {
    *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG),
    *(errno.EACCES, errno.EPERM, errno.ENXIO),
}
_WAY_OUT = "replace or delete it, or load the folder with on_corrupt='skip'"

# Suffixes of each format. Pillow's other formats are not tried: PostScript is a program.
SUFFIXES = {
    "PNG": ("png",),
    "JPEG": ("jpg", "jpeg", "jpe", "jfif"),
    "WEBP": ("webp",),
    "BMP": ("bmp",),
    "TIFF": ("tif", "tiff"),
}
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode(
    file: bytes | Path,
    channels: int | None,
    place: str,
    way_out: str = _WAY_OUT,
    *,
    formats: tuple[str, ...] = USUAL,
    upright: bool = False,
) -> UInt8[np.ndarray, "height width channels"]:
    """Decode an image file to 8 bits per channel; of several frames or pages, the first.

    See `eight_bits` for what happens to palettes, alpha, CMYK and 16 bits.

    Args:
      file: its content or its path.
      channels: 1 for gray or 3 for RGB (an image of the other kind is converted); None for the
        kind that is stored.
      place: what the file is called, for the error.
      way_out: what can be done about a corrupt one, for the error.
      formats: the only ones to decode, names in `SUFFIXES`.
      upright: whether the image is turned as its EXIF orientation says.

    Raises:
      InputError: the file is missing, corrupt, not a regular file, of another format, or
        does not have 8 or 16 bits per channel.
    """
    image, stored = open_image(file, place, way_out, formats)
    turn = _TURNS.get(orientation(image)) if upright else None
    turned = image if turn is None else image.transpose(turn)
    return eight_bits(turned, channels, f"{place} cannot be decoded", way_out, stored)


def eight_bits(
    image: Image.Image, channels: int | None, place: str, way_out: str, stored: str = ""
) -> UInt8[np.ndarray, "height width channels"]:
    """The pixels of a Pillow image, as torchvision's loaders convert them.

    Palettes give their colors, alpha is dropped, CMYK and YCbCr become RGB without a color
    profile. Gray of 16 bits is scaled by 255 / 65535 and rounded; of color of 16 bits Pillow
    reads the upper 8.

    Args:
      image: what Pillow decoded.
      channels: as for `decode`.
      place: what is wrong with which image, for the error.
      way_out: what can be done about it, for the error.
      stored: the layout of its pixels in the file, where that is known.

    Raises:
      InputError: its numbers do not have 8 or 16 bits, or Pillow does not convert its colors.
    """
    # Numbers of 32 bits have no white.
    deep = image.mode == "I" and stored not in _SIXTEEN
    if deep or image.mode not in (_GRAY | _COLOR):
        raise InputError(f"{place} (its pixels are {stored or image.mode}): {way_out}")
    picture = _scaled(image) if image.mode in _DEEP else image
    wanted = channels or stored_channels(image)
    pixels = np.asarray(picture.convert(_MODES[wanted]))
    return pixels.reshape(*pixels.shape[:2], wanted)


def stored_channels(image: Image.Image) -> int:
    """1 for an image that is gray, else 3."""
    return 1 if image.mode in _GRAY else 3


def orientation(image: Image.Image) -> int:
    """The EXIF orientation of an image, 1 (upright as stored) to 8; 1 where it has none.

    Pillow turns TIFF itself, so that they have none any more. Damaged metadata are ignored: the
    pixels are intact, and viewers show them as stored.
    """
    try:
        found = image.getexif().get(ExifTags.Base.Orientation, 1)
    except _DAMAGED:
        return 1
    return int(found) if isinstance(found, int) and found in _TURNS else 1


def _scaled(image: Image.Image) -> Image.Image:
    """Gray of 8 bits from gray of 16, which Pillow's conversion would clip at 255."""
    values = np.asarray(image).astype(np.uint32)
    return Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))


class Opened(NamedTuple):
    """An image that is decoded.

    Attributes:
      image: in the mode that Pillow reads it in.
      stored: the layout of its pixels in the file, by Pillow's names, such as `"L;4"`; none for
        a WebP.
    """

    image: Image.Image
    stored: str


def open_image(
    file: bytes | Path, place: str, way_out: str, formats: tuple[str, ...] = USUAL
) -> Opened:
    """Decode an image that is of one of these formats by its content.

    Pillow's other formats are not tried: a file of one of them, PostScript, is a program.

    Args:
      file: its content or its path.
      place: what the file is called, for the error.
      way_out: what can be done about one that cannot be used, for the error.
      formats: the only ones to decode, by Pillow's names.

    Raises:
      InputError: the file is missing, corrupt, not a regular file or of another format.
    """
    try:
        with _stream(file) as stream:
            header = stream.read(_HEADER)
            stream.seek(0)
            image = Image.open(stream, formats=formats)
            # A WebP is decoded as a whole and says nothing of its layout.
            stored = _layout(image.tile[0].args) if image.tile else ""
            image.load()
    except UnidentifiedImageError as error:
        reason = _unidentified(header, formats)
        raise InputError(f"{place} cannot be decoded ({reason}): {way_out}") from error
    except _DAMAGED as error:
        if isinstance(error, OSError) and error.errno not in (None, *_UNREADABLE):
            raise
        reason = _reason(error, file)
        raise InputError(f"{place} cannot be decoded ({reason}): {way_out}") from error
    return Opened(image, stored)


def _layout(arguments: Any) -> str:
    """The layout out of what Pillow hands to the decoder of a tile."""
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return str(first)


def stored_bytes(path: Path) -> bytes:
    """The content of an image file; none of one that cannot be read."""
    try:
        with _stream(path) as stream:
            return stream.read()
    except (OSError, ValueError):
        return b""


def _stream(file: bytes | Path) -> io.BytesIO | io.BufferedReader:
    if isinstance(file, bytes):
        return io.BytesIO(file)
    # Without waiting for somebody to write to a named pipe.
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise ValueError("it is not a regular file")


def _reason(error: Exception, file: bytes | Path) -> str:
    if isinstance(error, FileNotFoundError) and isinstance(file, Path) and file.is_symlink():
        return "it is a broken link"
    return getattr(error, "strerror", None) or str(error)


def _unidentified(header: bytes, formats: tuple[str, ...]) -> str:
    """Why an image cannot be opened: it is of another format, or its header is damaged."""
    Image.init()
    padded = header.ljust(_HEADER, b"\0")
    kinds = [name for name, (_, accept) in Image.OPEN.items() if accept and accept(padded)]
    if kinds and kinds[0] in formats:
        return f"the header of the {kinds[0]} is damaged"
    return f"its content is {kinds[0] if kinds else 'no image'}, not {either(formats)}"


def either(formats: Sequence[str]) -> str:
    """Formats in words."""
    *others, last = formats
    return f"{', '.join(others)} or {last}" if others else last
