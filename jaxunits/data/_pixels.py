"""What every image has to be before a network sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Num

from .._arguments import is_real
from .._errors import InputError

ValueRange = tuple[float, float] | None

# Of float16, in which images may have been computed.
_ROUNDING = 1e-3


def check_pixels(
    images: Num[np.ndarray, "images ..."],
    describe: Callable[[int], str],
    value_range: ValueRange = None,
) -> None:
    """Refuse images whose pixels are not numbers that float32 holds, or not in their range.

    On the host, because a network may hide them: XLA's windowed maximum drops NaN for some shapes.

    Args:
      images: as they are stored.
      describe: from a position in `images` to what the image is called in messages.
      value_range: the least and the largest value that floating-point images may have; None for
        any. Rounding may exceed it by a thousandth.

    Raises:
      InputError: a pixel is NaN, infinite or outside the range; the first such image is named.
    """
    if not np.issubdtype(images.dtype, np.floating) or not images.size:
        return
    # The extremes alone: both carry NaN on, and no array of answers is as large as the images.
    axes = tuple(range(1, images.ndim))
    with np.errstate(over="ignore"):
        least, most = (
            ends.astype(np.float32) for ends in (images.min(axis=axes), images.max(axis=axes))
        )
    wrong = np.flatnonzero(~(np.isfinite(least) & np.isfinite(most)))
    if len(wrong):
        raise _not_finite(images[wrong[0]], describe(int(wrong[0])), len(wrong))
    if value_range is None:
        return
    low, high = value_range
    beyond = np.flatnonzero(~_inside(least, most, value_range))
    if len(beyond):
        raise InputError(
            f"{describe(int(beyond[0]))} has values from {least[beyond[0]]:g} to "
            f"{most[beyond[0]]:g}, outside value_range=({low:g}, {high:g}): scale the images "
            "(uint8 in 0 to 255 needs no scaling); if the network reads such numbers as they are, "
            "say so with ju.data.load(..., value_range=(low, high)), or None for any"
        )


def is_within(image: Num[np.ndarray, ...], value_range: ValueRange) -> bool:
    """Whether the numbers of an image are in a range, up to rounding."""
    return value_range is None or bool(_inside(image.min(), image.max(), value_range))


def _inside(least: Any, most: Any, value_range: tuple[float, float]) -> Any:
    low, high = value_range
    slack = _ROUNDING * (high - low)
    return (least >= low - slack) & (most <= high + slack)


def checked_range(value_range: Any) -> ValueRange:
    """The range that floating-point images shall have.

    Raises:
      InputError: these are not two finite numbers, the smaller one first.
    """
    if value_range is None:
        return None
    ends = value_range if isinstance(value_range, Sequence) else ()
    if not (len(ends) == 2 and all(map(is_real, ends)) and -np.inf < ends[0] < ends[1] < np.inf):
        raise InputError(
            f"value_range={value_range!r}: give the least and the largest value of floating-point "
            "images, such as (0, 1), or None for any"
        )
    return float(ends[0]), float(ends[1])


def _not_finite(image: Num[np.ndarray, ...], name: str, images: int) -> InputError:
    with np.errstate(over="ignore"):
        finite = np.isfinite(image.astype(np.float32))
    place = tuple(np.argwhere(~finite)[0].tolist())
    row, column, channel = place
    others = f", and {images - 1} more images hold such numbers" if images > 1 else ""
    return InputError(
        f"{name} holds {image[place]} at row {row}, column {column}, channel {channel}{others}: "
        "every pixel has to be a finite number of float32; repair the image or leave it out "
        "(ju.data.subset)"
    )
