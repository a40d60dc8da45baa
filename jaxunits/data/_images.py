"""Images of Pillow, of PyTorch and in arrays, one by one, as `[height, width, channels]`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Num, Shaped
from PIL import Image

from .._arguments import as_array
from .._errors import InputError
from ._decoding import eight_bits, stored_channels
from ._pixels import ValueRange, check_pixels, is_within
from ._standardized import Normalized, undone

_CHANNELS = (1, 3)


@dataclass(frozen=True)
class ImageReader:
    """From an image of any kind to an array.

    Attributes:
      channels: of every image.
      converts: whether colored Pillow images may become gray.
      is_uint8: whether images are uint8, all of them, or floating point.
      channels_first: whether arrays and tensors are `[channels, height, width]`; None for tensors
        alone.
      normalized: mean and standard deviation by which the images are standardized.
      value_range: as in `jaxunits.data.load`.
    """

    channels: int
    converts: bool
    is_uint8: bool
    channels_first: bool | None
    normalized: Normalized | None
    value_range: ValueRange

    @classmethod
    def of(
        cls,
        first: Any,
        place: str,
        *,
        channels: int | None,
        channels_first: bool | None,
        normalized: Normalized | None,
        value_range: ValueRange,
    ) -> ImageReader:
        """A reader of images like the first.

        Raises:
          InputError: the first cannot be read.
        """
        if channels is not None and channels not in _CHANNELS and isinstance(first, Image.Image):
            raise InputError(f"channels={channels} for {place}: give 1 (gray) or 3 (RGB)")
        if isinstance(first, Image.Image):
            found, is_uint8 = channels or stored_channels(first), True
        else:
            array = _channels_last(first, channels_first, place)
            found, is_uint8 = channels or array.shape[-1], array.dtype == np.uint8
        reader = cls(found, channels is not None, is_uint8, channels_first, normalized, value_range)
        reader(first, place)
        return reader

    def __call__(self, image: Any, place: str) -> Num[np.ndarray, "height width channels"]:
        """An image as an array.

        Args:
          image: a Pillow image, a PyTorch tensor or an array.
          place: what it is called, for messages.

        Raises:
          InputError: it is something else, its channels or type differ from the first image's, or
            its numbers are outside the range.
        """
        if isinstance(image, Image.Image):
            array: Any = self._of_pillow(image, place)
        else:
            array = _channels_last(image, self.channels_first, place)
        if array.shape[-1] != self.channels:
            raise InputError(
                f"{place} of shape {array.shape} has {array.shape[-1]} channels and not "
                f"{self.channels}: give images with equal numbers of channels, or say where the "
                "channels are with channels_first"
            )
        if (array.dtype == np.uint8) != self.is_uint8:
            other = "uint8" if self.is_uint8 else "floating point"
            raise InputError(
                f"{place} is of type {array.dtype}, and image 0 of {other}: give images of one type"
            )
        return array if self.is_uint8 and self.normalized is None else self._scaled(array, place)

    def _of_pillow(
        self, image: Image.Image, place: str
    ) -> Num[np.ndarray, "height width channels"]:
        if not self.converts and self.channels < stored_channels(image):
            raise InputError(
                f"{place} has colors and image 0 is gray: give channels=3, or channels=1 to read "
                "all as gray"
            )
        way_out = "give images of 8 bits per channel"
        return eight_bits(image, self.channels, f"{place} cannot be read", way_out)

    def _scaled(
        self, array: Num[np.ndarray, "height width channels"], place: str
    ) -> Num[np.ndarray, "height width channels"]:
        """Floating-point numbers in their range, standardizing undone."""
        if self.normalized is not None:
            if self.is_uint8:
                raise InputError(
                    f"{place} is of uint8, and normalized= is for floating-point images that a "
                    "transform has standardized: leave it out"
                )
            array = undone(array, self.normalized, place)
        check_pixels(array[None], lambda _: place)
        if not is_within(array, self.value_range):
            low, high = self.value_range or (0.0, 1.0)
            raise InputError(
                f"{place} has values from {array.min():g} to {array.max():g}, outside {low:g} to "
                f"{high:g}: if a transform has standardized the images, leave it out or give "
                "normalized=(mean, std) with its numbers, which undoes it; if the network reads "
                "such numbers as they are, give value_range=(low, high), or None for any"
            )
        return array


def is_tensor(image: Any) -> bool:
    """Whether this is a PyTorch tensor; PyTorch is not imported for it."""
    return any(each.__module__.partition(".")[0] == "torch" for each in type(image).__mro__)


def _channels_last(
    image: Any, channels_first: bool | None, place: str
) -> Num[np.ndarray, "height width channels"]:
    """A tensor or array as `[height, width, channels]`.

    Raises:
      InputError: it is neither, or its channels are on another axis.
    """
    array = _as_array(image, place)
    if array.dtype == object:
        raise InputError(
            f"{place} is of type {type(image).__name__}: give a Pillow image, a tensor or an array"
        )
    if array.dtype != np.uint8 and not np.issubdtype(array.dtype, np.floating):
        raise InputError(
            f"{place} is of type {array.dtype}: give a Pillow image, or uint8 (0 to 255) or "
            "floating point (0 to 1)"
        )
    if array.ndim == 2:
        array = array[..., None]
        return _whole(array, place)
    tensor = is_tensor(image)
    first = tensor if channels_first is None else channels_first
    if array.ndim != 3:
        axes = "[channels, height, width]" if first else "[height, width, channels]"
        raise InputError(f"{place} of shape {array.shape}: give {axes}")
    at, other = (0, -1) if first else (-1, 0)
    elsewhere = array.shape[at] not in _CHANNELS and array.shape[other] in _CHANNELS
    if channels_first is None and elsewhere:
        kind, axis = ("a tensor", "first") if tensor else ("an array", "last")
        raise InputError(
            f"{place}, {kind} of shape {array.shape}, has {array.shape[at]} channels where its "
            f"{axis} axis is that of channels: give channels_first={not first}"
        )
    return _whole(np.moveaxis(array, 0, -1) if first else array, place)


def _whole(
    array: Num[np.ndarray, "height width channels"], place: str
) -> Num[np.ndarray, "height width channels"]:
    if not array.size:
        raise InputError(f"{place} of shape {array.shape}: give at least one pixel")
    return np.ascontiguousarray(array)


def _as_array(image: Any, place: str) -> Shaped[np.ndarray, ...]:
    """What was given as an array.

    Raises:
      InputError: NumPy cannot read it, such as a tensor on an accelerator.
    """
    try:
        return as_array(image, place)
    except (TypeError, RuntimeError) as error:
        raise InputError(
            f"{place} of type {type(image).__name__} is not an array ({error}): give a tensor on "
            "the CPU that needs no gradient, of float32 or uint8"
        ) from error
