"""The orientation of edges as concepts."""

from __future__ import annotations

import numpy as np
import scipy
from jaxtyping import Int32, Num

NAMES = ("horizontal edge", "rising edge", "vertical edge", "falling edge")

_LUMA = (0.299, 0.587, 0.114)


def edges(
    image: Num[np.ndarray, "height width channels"], contrast: float
) -> Int32[np.ndarray, "height width"]:
    """The orientation of the edge at each pixel, in four bins of 45° around 0°, 45°, 90° and 135°.

    From Sobel's gradient of the brightness (ITU-R BT.601's luma), to which the edge is
    perpendicular. Where the gradient is below that of a step of `contrast` there is none, -1.
    """
    values = image.astype(np.float32)
    if image.dtype == np.uint8:
        values /= 255
    brightness = values @ np.asarray(_LUMA, np.float32) if values.shape[-1] == 3 else values[..., 0]
    down, right = (scipy.ndimage.sobel(brightness, axis, mode="nearest") / 4 for axis in (0, 1))
    # Rows count downwards: an edge that rises to the right has a gradient with down = right.
    angle = np.degrees(np.arctan2(right, down)) % 180
    bins = np.floor((angle + 22.5) / 45).astype(np.int32) % 4
    return np.where(np.hypot(down, right) < contrast, -1, bins).astype(np.int32)
