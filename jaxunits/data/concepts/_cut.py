"""What a network sees of a mask."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int, Shaped
from PIL import Image

from ..._errors import InputError
from ..._kinds import checks_kinds
from .._preprocessing import Preprocessing


@checks_kinds
def cut(
    masks: Shaped[np.ndarray, "maps rows columns"],
    image_size: tuple[int, int],
    preprocessing: Preprocessing,
    size: tuple[int, int],
) -> Shaped[np.ndarray, "maps height width"]:
    """Resize and crop masks as `Preprocessing.fit` does their image, by the nearest pixel.

    Exactly as Pillow's `NEAREST`: a pixel takes the value of the stored pixel that its center falls
    into, and where that is the line between two the one that Pillow's rounding finds. The whole
    mask is resampled and then cropped; where `size` asks for a resolution at which the crop does
    not begin and end at whole pixels, the crop's box is resampled in one step.

    Args:
      masks: masks or label maps of the whole image, at any resolution.
      image_size: height and width of the image in pixels, on which the crop depends.
      preprocessing: what the network expects of the image.
      size: height and width of the result, which covers what the network sees.

    Returns:
      `[maps, height, width]`, of the type of `masks`.

    Raises:
      InputError: the masks are not `[maps, rows, columns]`.
    """
    if masks.ndim != 3 or 0 in masks.shape[1:]:
        raise InputError(f"masks of shape {masks.shape}: give [masks, rows, columns]")
    window = preprocessing.window(*image_size)
    seen = preprocessing.size
    rows = _nearest(masks.shape[1], window.height, window.top, seen[0], size[0])
    columns = _nearest(masks.shape[2], window.width, window.left, seen[1], size[1])
    return masks[:, rows[:, None], columns]


def _nearest(
    stored: int, whole: int, start: int, seen: int, wanted: int
) -> Int[np.ndarray, " wanted"]:
    """The stored pixels that Pillow gives to the wanted ones, along one axis."""
    numbers = Image.fromarray(np.arange(stored, dtype=np.int32)[None])
    if whole * wanted % seen == 0 and start * wanted % seen == 0:
        resized = numbers.resize((whole * wanted // seen, 1), Image.Resampling.NEAREST)
        first = start * wanted // seen
        return np.asarray(resized)[0, first : first + wanted]
    # Multiplied first: exact in float64, so that the box ends within the mask.
    box = (start * stored / whole, 0, (start + seen) * stored / whole, 1)
    return np.asarray(numbers.resize((wanted, 1), Image.Resampling.NEAREST, box))[0]
