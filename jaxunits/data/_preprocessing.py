"""What a network expects of its images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float32, Num
from PIL import Image

from .._arguments import check_whole, check_whole_or_none, is_real, is_whole
from .._errors import InputError
from .._kinds import checks_kinds
from ._pixels import check_pixels

_MOST_PIXELS = 2**28


class Window(NamedTuple):
    """The part of a resized image that is kept, in its pixels.

    Attributes:
      height: of the resized image.
      width: of the resized image.
      top: the first row that is kept.
      left: the first column.
    """

    height: int
    width: int
    top: int
    left: int


@dataclass(frozen=True)
class Preprocessing:
    """From an image of any size to the array that a network reads: resize, crop, standardize.

    Attributes:
      size: height and width that the network reads, in pixels.
      channels: channels that the network reads.
      mean: subtracted from each channel, where white is 1; one number applies to all channels.
      std: each channel is divided by it afterwards, in the same form.
      resize: the shorter side before the central crop to `size`, in pixels; None resizes the whole
        image to `size`, whatever its shape.
      order: of the three channels of a color image, as the network reads them; `mean` and `std`
        are given in it too.
    """

    size: tuple[int, int]
    channels: int
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    resize: int | None = None
    order: Literal["rgb", "bgr"] = "rgb"

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", self._whole_pair())
        check_whole(channels=self.channels)
        check_whole_or_none(resize=self.resize)
        if min(*self.size, self.channels) < 1:
            raise InputError(f"preprocessing to {self.size} × {self.channels}: give sizes above 0")
        for name in ("mean", "std"):
            values = self._numbers(name)
            object.__setattr__(self, name, values)
            if len(values) not in (1, self.channels):
                raise InputError(
                    f"{len(values)} values of {name} for {self.channels} channels: give 1 or "
                    f"{self.channels}"
                )
        if min(self.std) <= 0:
            raise InputError(f"std={self.std}: give numbers above 0")
        with np.errstate(divide="ignore", over="ignore"):
            white = (1 - np.asarray(self.mean, np.float32)) / np.asarray(self.std, np.float32)
        if not np.isfinite(white).all():
            raise InputError(
                f"mean={self.mean} and std={self.std} turn white into {white.tolist()}: give "
                "numbers whose quotients float32 can represent"
            )
        if self.resize is not None and self.resize < max(self.size):
            raise InputError(f"resize={self.resize} is smaller than the crop to {self.size}")
        known = isinstance(self.order, str) and self.order in ("rgb", "bgr")
        if not known or (self.order == "bgr" and self.channels != 3):
            raise InputError(
                f"order={self.order!r} for {self.channels} channels: give 'rgb', or 'bgr' for 3 "
                "channels"
            )

    @property
    def numbers(self) -> int:
        """How many numbers a preprocessed image has."""
        return math.prod(self.size) * self.channels

    def _whole_pair(self) -> tuple[int, int]:
        size: Any = self.size
        if not isinstance(size, Sequence) or len(size) != 2 or not all(map(is_whole, size)):
            raise InputError(
                f"size={size!r}: give two whole numbers of pixels, (height, width), such as "
                "(224, 224)"
            )
        return int(size[0]), int(size[1])

    def _numbers(self, name: str) -> tuple[float, ...]:
        values: Any = getattr(self, name)
        known = isinstance(values, Sequence) and not isinstance(values, str | bytes)
        if not known or not all(is_real(value) and math.isfinite(value) for value in values):
            raise InputError(
                f"{name}={values!r}: give finite numbers in a tuple, one for all channels, such as "
                "(0.5,), or one for each"
            )
        return tuple(map(float, values))

    @checks_kinds
    def __call__(
        self, image: Num[np.ndarray, "height width channels"]
    ) -> Float32[np.ndarray, "rows columns channels"]:
        """Preprocess one image: uint8 in 0 to 255 or floating point in 0 to 1.

        Raises:
          InputError: the image has another number of channels, is of another type, or holds NaN or
            infinity.
        """
        self._check(image)
        if image.ndim != 3 or not image.size:
            raise InputError(f"image of shape {image.shape}: give [height, width, channels]")
        check_pixels(image[None], lambda _: f"image of shape {image.shape}")
        return self.standardize(self.fit(image))

    def standardize(
        self, pixels: Num[np.ndarray, "*images rows columns channels"]
    ) -> Float32[np.ndarray, "*images rows columns channels"]:
        """Only order, scale and standardize the channels, of one image or of many at once.

        Raises:
          InputError: there is another number of channels, or another type.
        """
        self._check(pixels)
        ordered = pixels[..., ::-1] if self.order == "bgr" else pixels
        # In place, and a row of pixels at a time: NumPy is slow along an axis of three.
        rows = ordered.astype(np.float32, order="C").reshape(*pixels.shape[:-2], -1)
        mean, std = (
            np.resize(np.asarray(values, np.float32), rows.shape[-1])
            for values in (self.mean, self.std)
        )
        if pixels.dtype == np.uint8:
            rows /= np.float32(255)
        rows -= mean
        rows /= std
        return rows.reshape(pixels.shape)

    def fit(
        self, image: Num[np.ndarray, "height width channels"]
    ) -> Num[np.ndarray, "rows columns channels"]:
        """Only resize and crop: what the network sees of the image, with its values unchanged.

        Raises:
          InputError: the image is so narrow that the longer side would not fit into memory.
        """
        height, width, top, left = self.window(*image.shape[:2])
        if height * width > _MOST_PIXELS:
            raise InputError(
                f"image of {image.shape[0]} × {image.shape[1]} pixels: with resize={self.resize} "
                f"it becomes {height} × {width}, more than {_MOST_PIXELS:,} pixels; crop it first, "
                "or give resize=None"
            )
        resized = resize(image, (height, width))
        return resized[top : top + self.size[0], left : left + self.size[1]]

    def window(self, height: int, width: int) -> Window:
        """Where the network's view lies in an image of this size, once that is resized."""
        if self.resize is None:
            return Window(*self.size, 0, 0)
        # The longer side is cut off, not rounded, as in torchvision's Resize. Dividing first would
        # round, and lose a pixel where the side is whole.
        longer = int(self.resize * max(height, width) / min(height, width))
        whole = (self.resize, longer) if height <= width else (longer, self.resize)
        top, left = (round((whole[axis] - self.size[axis]) / 2) for axis in (0, 1))
        return Window(*whole, top, left)

    def _check(self, image: Num[np.ndarray, ...]) -> None:
        if image.ndim < 3 or image.shape[-1] != self.channels:
            raise InputError(
                f"image of shape {image.shape} for a network that reads {self.channels} channels"
            )
        _check_type(image)


def as_read(
    preprocessing: Preprocessing,
    pixels: Num[np.ndarray, "*images rows columns channels"],
    *,
    standardized: bool,
) -> Num[np.ndarray, "*images rows columns channels"]:
    """Standardized in float32, or uint8 as they are, to be standardized later.

    Raises:
      InputError: there is another number of channels, or another type.
    """
    if standardized:
        return preprocessing.standardize(pixels)
    if pixels.ndim < 3 or pixels.shape[-1] != preprocessing.channels or pixels.dtype != np.uint8:
        raise InputError(
            f"image of shape {pixels.shape} and type {pixels.dtype} for a network that reads "
            f"{preprocessing.channels} channels, from a source of uint8: give uint8 (0 to 255), or "
            "a source without image_dtype"
        )
    return pixels


def resize(
    image: Num[np.ndarray, "height width channels"], size: tuple[int, int]
) -> Num[np.ndarray, "rows columns channels"]:
    """Bilinear, with a wider filter when shrinking, as Pillow and torchvision do.

    Raises:
      InputError: the image is neither uint8 nor floating point.
    """
    _check_type(image)
    if image.shape[:2] == size:
        return image
    shape = (size[1], size[0])
    if image.dtype == np.uint8 and image.shape[-1] in (1, 3):
        picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
        resized = np.asarray(picture.resize(shape, Image.Resampling.BILINEAR))
        return resized.reshape(*size, image.shape[-1])
    # Numbers of 8 bits stay that, since they are scaled as such afterwards.
    kind = np.uint8 if image.dtype == np.uint8 else np.float32
    planes = [
        Image.fromarray(plane.astype(kind)).resize(shape, Image.Resampling.BILINEAR)
        for plane in np.moveaxis(image, -1, 0)
    ]
    return np.stack([np.asarray(plane) for plane in planes], axis=-1)


def _check_type(image: Num[np.ndarray, ...]) -> None:
    if image.dtype != np.uint8 and not np.issubdtype(image.dtype, np.floating):
        raise InputError(
            f"image of type {image.dtype}: give uint8 (0 to 255) or floating point (0 to 1)"
        )
