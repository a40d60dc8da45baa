"""What a network reads at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int32, UInt8


class Batch(NamedTuple):
    """Images of one batch; a last batch that is not full is padded.

    Attributes:
      images: `[batch, height, width, channels]`, preprocessed in float32, or uint8 with
        `standardized=False`; padding is 0, or in training the epoch's first images
        again.
      labels: `[batch]`, class indices; padded in the same way.
      valid: `[batch]`, false where padded.
    """

    images: (
        Float32[np.ndarray, "batch height width channels"]
        | UInt8[np.ndarray, "batch height width channels"]
    )
    labels: Int32[np.ndarray, " batch"]
    valid: Bool[np.ndarray, " batch"]
