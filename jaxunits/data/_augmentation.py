"""Random crops and flips of training images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Num

from .._arguments import is_real
from .._bounds import Range, check_numbers
from .._errors import InputError
from .._kinds import checks_kinds
from ._preprocessing import Preprocessing, resize
from ._random import generator

_TRIES = 10
_MOST_PADDING = 1024


class Window(NamedTuple):
    """A part of an image, in pixels."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class Augmentation:
    """Random changes of training images; what happens to an image depends on seed, epoch and index.

    It acts on the image as it is stored, before it is standardized.

    Raises:
      InputError: a number is outside its range.
    """

    crop: Literal["none", "padded", "resized"] = "none"
    """Which part the network sees: that of evaluation, moved by up to `padding` pixels, or an
    area of random size and shape, resized."""
    flip: bool = True
    """Flip images left to right at random, half of them on average."""
    padding: int = 4
    """Black pixels on each side before a padded crop."""
    scale: tuple[float, float] = (0.08, 1.0)
    """Least and greatest share of the image's area in a resized crop."""
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    """Least and greatest width over height of a resized crop."""

    def __post_init__(self) -> None:
        if not isinstance(self.crop, str) or self.crop not in ("none", "padded", "resized"):
            raise InputError(f"crop={self.crop!r}: give 'none', 'padded' or 'resized'")
        check_numbers(padding=(self.padding, Range(0, _MOST_PADDING, whole=True)))
        for name in ("scale", "ratio"):
            values: Any = getattr(self, name)
            if (
                not isinstance(values, Sequence)
                or len(values) != 2
                or not all(map(is_real, values))
            ):
                raise InputError(f"{name}={values!r}: give two numbers, the least first")
        if not 0 < self.scale[0] <= self.scale[1] <= 1:
            raise InputError(f"scale={self.scale}: give two shares above 0, to 1, the least first")
        if not 0 < self.ratio[0] <= self.ratio[1] < math.inf:
            raise InputError(f"ratio={self.ratio}: give two numbers above 0, the least first")

    @checks_kinds
    def numbers(self, seed: int, epoch: int, images: int) -> Float[np.ndarray, "images numbers"]:
        """Random numbers from 0 to 1, one row per image; it depends only on seed, epoch and index.

        The first decides on the flip, the next two on the place of the crop, the others on its area
        and shape.
        """
        columns = 3 + 2 * _TRIES if self.crop == "resized" else 3
        random = generator("augmentation", seed=seed, epoch=epoch)
        return random.random((images, columns), np.float32)

    def __call__(
        self,
        image: Num[np.ndarray, "height width channels"],
        preprocessing: Preprocessing,
        numbers: Float[np.ndarray, " numbers"],
    ) -> Num[np.ndarray, "rows columns channels"]:
        """One image, cropped, at the size of the preprocessing and flipped."""
        if self.crop == "resized":
            top, left, height, width = self.window(image.shape[0], image.shape[1], numbers)
            part = image[top : top + height, left : left + width]
            pixels = resize(part, preprocessing.size)
            return pixels[:, ::-1] if self.flip and numbers[0] < 0.5 else pixels
        return self.many(preprocessing.fit(image)[None], numbers[None])[0]

    def many(
        self,
        pixels: Num[np.ndarray, "images rows columns channels"],
        numbers: Float[np.ndarray, "images numbers"],
    ) -> Num[np.ndarray, "images rows columns channels"]:
        """Images that already have the network's size, all at once; not for resized crops."""
        if self.crop == "padded":
            places = _places(numbers[:, 1:3], 2 * self.padding + 1)
            pixels = _moved(pixels, places, self.padding)
        if not self.flip:
            return pixels
        flipped = np.flatnonzero(numbers[:, 0] < 0.5)
        result = pixels.copy()
        # Ten times as fast as a slice with a step of -1, since pixels are moved whole.
        result[flipped] = pixels[flipped].take(np.arange(pixels.shape[2])[::-1], axis=2)
        return result

    def window(self, height: int, width: int, numbers: Float[np.ndarray, " numbers"]) -> Window:
        """The part of an image that a resized crop takes.

        Its area and the logarithm of its shape are uniform; after ten tries that do not fit into
        the image it is the largest central part whose shape is allowed (GoogLeNet's crop, Szegedy
        et al. 2015, as in torchvision's RandomResizedCrop).
        """
        tries = numbers[3:].astype(np.float64).reshape(_TRIES, 2)
        for area, shape in tries:
            pixels = height * width * (self.scale[0] + area * (self.scale[1] - self.scale[0]))
            low, high = (math.log(value) for value in self.ratio)
            ratio = math.exp(low + shape * (high - low))
            size = round(math.sqrt(pixels / ratio)), round(math.sqrt(pixels * ratio))
            if 0 < size[0] <= height and 0 < size[1] <= width:
                room = np.asarray([height - size[0] + 1, width - size[1] + 1])
                top, left = _places(numbers[1:3], room).tolist()
                return Window(top, left, *size)
        ratio = min(max(width / height, self.ratio[0]), self.ratio[1])
        size = (
            min(height, max(1, round(width / ratio))),
            min(width, max(1, round(height * ratio))),
        )
        return Window((height - size[0]) // 2, (width - size[1]) // 2, *size)


def _places(
    numbers: Float[np.ndarray, "*places"], room: int | Int[np.ndarray, "*places"]
) -> Int[np.ndarray, "*places"]:
    """Integers from 0 to `room` − 1."""
    # In float32 a number just below 1 times the room would be rounded up to it.
    return np.floor(numbers.astype(np.float64) * room).astype(np.int64)


def _moved(
    pixels: Num[np.ndarray, "images rows columns channels"],
    places: Int[np.ndarray, "images 2"],
    padding: int,
) -> Num[np.ndarray, "images rows columns channels"]:
    """Windows of the padded images, each at its own place."""
    padded = np.pad(pixels, [(0, 0), (padding, padding), (padding, padding), (0, 0)])
    height, width = pixels.shape[1:3]
    return np.stack(
        [
            image[top : top + height, left : left + width]
            for image, (top, left) in zip(padded, places.tolist(), strict=True)
        ]
    )
