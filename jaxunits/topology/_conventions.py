"""Which values of a map enter, and from where ranks are counted: the paper's and the code's."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .._errors import unknown_name


@dataclass(frozen=True)
class Convention:
    """How edges are ordered and their ranks counted.

    Attributes:
      signed: whether values enter by falling value, including zeros and negative ones; otherwise by
        falling absolute value, and zeros never.
      first_rank: the number of the rank at which the first edges enter.
      max_density: the share of the possible edges up to which ranks enter.
    """

    signed: bool
    first_rank: int
    max_density: float

    def num_ranks(self, vertices: int) -> int:
        """How many ranks enter, at most."""
        return math.ceil(self.max_density * (vertices * (vertices - 1) // 2))


# The published code (class BC, function birth_point): maxEdgeDensity=0.8, curves indexed from 0.
CONVENTIONS = {
    "paper": Convention(signed=False, first_rank=1, max_density=1.0),
    "authors": Convention(signed=True, first_rank=0, max_density=0.8),
}


def convention_of(name: str) -> Convention:
    """A convention by its name.

    Raises:
      InputError: it is unknown.
    """
    if not isinstance(name, str) or name not in CONVENTIONS:
        raise unknown_name("convention", name, CONVENTIONS, "feature topology")
    return CONVENTIONS[name]
