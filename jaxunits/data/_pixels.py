"""What every image has to be before a network sees it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Num

from .._errors import InputError


def check_pixels(images: Num[np.ndarray, "images ..."], describe: Callable[[int], str]) -> None:
    """Refuse images whose pixels are not numbers that float32 holds.

    On the host, because a network need not tell: XLA's windowed maximum drops NaN for some shapes.

    Args:
      images: as they are stored.
      describe: from a position in `images` to what the image is called in messages.

    Raises:
      InputError: a pixel is NaN or infinite; the first such image is named.
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


def _not_finite(image: Num[np.ndarray, ...], name: str, images: int) -> InputError:
    with np.errstate(over="ignore"):
        finite = np.isfinite(image.astype(np.float32))
    place = tuple(np.argwhere(~finite)[0].tolist())
    row, column, channel = place
    others = f", and {images - 1} more images hold such numbers" if images > 1 else ""
    return InputError(
        f"{name} holds {image[place]} at row {row}, column {column}, channel {channel}{others}: "
        "every pixel has to be a finite number of float32; mend the image or leave it out "
        "(ju.data.subset)"
    )
