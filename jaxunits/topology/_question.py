"""What is asked about maps, and by whose convention it is counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from .._arguments import check_whole
from .._errors import InputError, unknown_name
from .._optional import check_installed
from ._conventions import Convention, convention_of
from ._graph import VERTICES_AT_MOST

METHODS = ("auto", "kernel", "ripser")


@dataclass(frozen=True)
class Question:
    """Which birth points, and how they are found.

    Attributes:
      limit: the largest birth point that counts.
      dimension: of the holes.
      method: `"kernel"`, `"ripser"`, or `"auto"` for the kernel where it can.
      convention: which values enter and how their ranks are counted.
      processes: how many run ripser.
    """

    limit: int
    dimension: int
    method: str
    convention: str
    processes: int

    def __post_init__(self) -> None:
        """Refuse what cannot be asked.

        Raises:
          InputError: a name is unknown or a number is out of range.
        """
        if not isinstance(self.method, str) or self.method not in METHODS:
            raise unknown_name("method", self.method, METHODS, "birth_points")
        convention_of(self.convention)
        check_whole(limit=self.limit, dimension=self.dimension)
        if self.limit < 1:
            raise InputError(f"limit={self.limit}: give the last rank that counts, at least 1")
        if self.dimension < 1:
            raise InputError(
                f"dimension={self.dimension}: birth points are of holes of dimension 1 or more "
                "(Zhao and Zhang 2021, definition 2)"
            )
        if self.method == "kernel" and self.dimension != 1:
            raise InputError(
                f"method='kernel' with dimension={self.dimension}: the kernel finds holes of "
                "dimension 1; give method='ripser'"
            )
        check_processes(self.processes)
        # By the kernel too: which maps it leaves to ripser is known at the end.
        check_installed("ripser", "topology", "a birth point")

    @property
    def rules(self) -> Convention:
        """Its convention."""
        return convention_of(self.convention)

    def last_rank(self, vertices: int) -> int:
        """The last rank that counts in maps of this size, from 1 on."""
        return min(self.limit + 1 - self.rules.first_rank, self.rules.num_ranks(vertices))

    def by_kernel(self, vertices: int) -> bool:
        """Whether the kernel looks for them in maps of this size.

        Raises:
          InputError: it was asked for and cannot.
        """
        if self.method == "kernel" and vertices > VERTICES_AT_MOST:
            raise InputError(
                f"method='kernel' with maps of {vertices}×{vertices}: the kernel takes up to "
                f"{VERTICES_AT_MOST}×{VERTICES_AT_MOST}; give method='ripser'"
            )
        return self.method != "ripser" and self.dimension == 1 and vertices <= VERTICES_AT_MOST

    def counted(self, ranks: Int[np.ndarray, "*shape"]) -> Int[np.ndarray, "*shape"]:
        """Birth points by the convention, from ranks."""
        # The authors' code gives 0 both for none and for a hole at its first rank, 0.
        return np.maximum(ranks - 1 + self.rules.first_rank, 0)


def check_processes(processes: int) -> None:
    """Refuse a number of processes below 1.

    Raises:
      InputError: it is.
    """
    check_whole(processes=processes)
    if processes < 1:
        raise InputError(f"processes={processes}: give at least 1")
