"""Random numbers that depend on what they are for and on whole numbers alone."""

from __future__ import annotations

import zlib

import numpy as np

from .._arguments import check_whole
from .._errors import InputError


def generator(purpose: str, **numbers: int) -> np.random.Generator:
    """A generator whose numbers differ between purposes, though the seeds be the same.

    Args:
      purpose: what the numbers are for.
      numbers: seeds, by their names for the error.

    Raises:
      InputError: one is negative or no whole number.
    """
    for name, number in numbers.items():
        check_whole(**{name: number})
        if number < 0:
            raise InputError(f"{name}={number}: give a whole number from 0 on")
    return np.random.default_rng([zlib.crc32(purpose.encode()), *numbers.values()])
