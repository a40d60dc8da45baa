"""Image files to arrays, by Pillow alone, so that pixels are the same everywhere."""

from __future__ import annotations

import errno
import io
import os
import stat
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from .._errors import InputError

_MODES = {1: "L", 3: "RGB"}
_GREY = {"1", "L", "LA", "I", "I;16"}
_DEEP = {"I", "I;16"}
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


def decode(
    file: bytes | Path, channels: int | None, place: str, way_out: str = _WAY_OUT
) -> UInt8[np.ndarray, "height width channels"]:
    """Decode a PNG or JPEG to 8 bits per channel.

    Grey of 16 bits is scaled by 255 / 65535 and rounded; of colour of 16 bits Pillow reads the
    upper 8.

    Args:
      file: its content or its path.
      channels: 1 for grey or 3 for RGB (an image of the other kind is converted); None for the
        kind that is stored.
      place: what the file is called, for the error.
      way_out: what can be done about a corrupt one, likewise.

    Raises:
      InputError: the file is missing, corrupt, no regular file or of another format.
    """
    image, _ = open_image(file, place, way_out)
    wanted = channels or (1 if image.mode in _GREY else 3)
    picture = _scaled(image) if image.mode in _DEEP else image
    pixels = np.asarray(picture.convert(_MODES[wanted]))
    return pixels.reshape(*pixels.shape[:2], wanted)


def _scaled(image: Image.Image) -> Image.Image:
    """Grey of 8 bits from grey of 16, which Pillow's conversion would clip at 255."""
    values = np.asarray(image).astype(np.uint32)
    return Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))


class Opened(NamedTuple):
    """An image that is decoded.

    Attributes:
      image: in the mode that Pillow reads it in.
      stored: the layout of its pixels in the file, by Pillow's names, such as `"L;4"`.
    """

    image: Image.Image
    stored: str


def open_image(
    file: bytes | Path, place: str, way_out: str, formats: tuple[str, ...] = ("PNG", "JPEG")
) -> Opened:
    """Decode an image that is of one of these formats by its content.

    Pillow's other formats are not tried: a file of one of them, PostScript, is a program.

    Args:
      file: its content or its path.
      place: what the file is called, for the error.
      way_out: what can be done about one that cannot be used, likewise.
      formats: the only ones to decode, by Pillow's names.

    Raises:
      InputError: the file is missing, corrupt, no regular file or of another format.
    """
    try:
        with _stream(file) as stream:
            header = stream.read(_HEADER)
            stream.seek(0)
            image = Image.open(stream, formats=formats)
            stored = str(image.tile[0].args)
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
    raise ValueError("it is no regular file")


def _reason(error: Exception, file: bytes | Path) -> str:
    if isinstance(error, FileNotFoundError) and isinstance(file, Path) and file.is_symlink():
        return "the link leads nowhere"
    return getattr(error, "strerror", None) or str(error)


def _unidentified(header: bytes, formats: tuple[str, ...]) -> str:
    """Why an image cannot be opened: it is of another format, or its header is damaged."""
    Image.init()
    padded = header.ljust(_HEADER, b"\0")
    kinds = [name for name, (_, accept) in Image.OPEN.items() if accept and accept(padded)]
    if kinds and kinds[0] in formats:
        return f"the header of the {kinds[0]} is damaged"
    return f"its content is {kinds[0] if kinds else 'no image'}, not {' or '.join(formats)}"
