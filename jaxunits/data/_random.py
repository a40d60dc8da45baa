"""Random numbers that depend only on their purpose and on integers."""

from __future__ import annotations

import zlib

import numpy as np

from .._bounds import SEEDS, check_numbers


def generator(purpose: str, **numbers: int) -> np.random.Generator:
    """A generator whose numbers differ between purposes, even for equal seeds.

    Args:
      purpose: what the numbers are for.
      numbers: seeds, by their names for the error.

    Raises:
      InputError: one is outside 0 to 2^32 - 1 or not an integer.
    """
    check_numbers(**{name: (number, SEEDS) for name, number in numbers.items()})
    return np.random.default_rng([zlib.crc32(purpose.encode()), *numbers.values()])
