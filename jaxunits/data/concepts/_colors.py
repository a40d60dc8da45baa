"""The eleven basic colors as concepts."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int32, Num

# The colors that most people chose for these names on their screens: the color name survey of
# xkcd, 2010, 222,500 sessions, released into the public domain. Those of one channel come first.
PROTOTYPES = {
    "black": (0, 0, 0),
    "gray": (146, 149, 145),
    "white": (255, 255, 255),
    "red": (229, 0, 0),
    "green": (21, 176, 26),
    "blue": (3, 67, 223),
    "yellow": (255, 255, 20),
    "orange": (249, 115, 6),
    "brown": (101, 55, 0),
    "pink": (255, 129, 192),
    "purple": (126, 30, 156),
}
NAMES = tuple(PROTOTYPES)
GRAY_NAMES = NAMES[:3]

# IEC 61966-2-1: linear sRGB to CIE XYZ; a row's sum is the white point's (D65).
_XYZ = np.asarray(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]], np.float32
)


def colors(
    image: Num[np.ndarray, "height width channels"],
) -> Int32[np.ndarray, "height width"]:
    """The basic color nearest to each pixel's in CIELAB (Euclidean, CIE 1976); of gray images 3.

    The eleven terms are Berlin and Kay's (1969). Broden's own colors come from a table learned from
    photographs (van de Weijer et al. 2009), so its masks differ.
    """
    names = NAMES if image.shape[-1] == 3 else GRAY_NAMES
    prototypes = cielab(np.asarray([PROTOTYPES[name] for name in names], np.uint8))
    pixels = cielab(np.broadcast_to(image, (*image.shape[:2], 3)))
    distances = [((pixels - prototype) ** 2).sum(-1) for prototype in prototypes]
    return np.argmin(distances, 0).astype(np.int32)


def cielab(colors: Num[np.ndarray, "*shape 3"]) -> Float[np.ndarray, "*shape 3"]:
    """From sRGB, uint8 in 0 to 255 or floating point in 0 to 1, to CIELAB under D65."""
    values = colors.astype(np.float32)
    if colors.dtype == np.uint8:
        values /= 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    ratio = linear @ _XYZ.T / _XYZ.sum(1)
    x, y, z = np.moveaxis(
        np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio * (29 / 6) ** 2 / 3 + 4 / 29), -1, 0
    )
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)
