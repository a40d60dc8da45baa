"""How maps are laid over the masks that they are compared with."""

from __future__ import annotations

from dataclasses import dataclass

from .._bounds import Range
from .._errors import InputError, unknown_name
from ..networks import Centers, receptive_fields
from ._interpolation import (
    Upsampling,
    interpolation_matrix,
    points_by_corners,
    points_by_receptive_fields,
)
from ._maps import UnitMaps

ALIGNMENTS = ("corners", "receptive_field")
OUTSIDE = ("edge", "zero")
_EXACT_PIXELS = 2**24


@dataclass(frozen=True)
class Alignment:
    """Where maps and masks are compared.

    Attributes:
      grid: rows and columns of points, covering what the network sees; None for its image size.
      alignment: `"corners"`, `"receptive_field"`, or the receptive fields' centers, scale and
        offset, of both axes.
      outside: what a map is beyond its outermost centers.
    """

    grid: tuple[int, int] | None
    alignment: str | tuple[float, float]
    outside: str

    def __post_init__(self) -> None:
        """Refuse invalid values.

        Raises:
          InputError: naming the value.
        """
        if not isinstance(self.outside, str) or self.outside not in OUTSIDE:
            raise unknown_name("outside", self.outside, OUTSIDE, "dissect")
        if isinstance(self.alignment, str):
            if self.alignment not in ALIGNMENTS:
                raise unknown_name("alignment", self.alignment, ALIGNMENTS, "dissect")
        elif not (
            isinstance(self.alignment, tuple | list)
            and len(self.alignment) == 2
            and all(number in Range() for number in self.alignment)
            and self.alignment[0] > 0
        ):
            raise InputError(
                f"alignment={self.alignment}: give one of {', '.join(ALIGNMENTS)}, or the "
                "receptive fields' (scale, offset) in pixels, with a scale above 0"
            )
        if self.grid is not None and not (
            isinstance(self.grid, tuple | list)
            and len(self.grid) == 2
            and all(number in Range(1, whole=True) for number in self.grid)
            and self.grid[0] * self.grid[1] <= _EXACT_PIXELS
        ):
            raise InputError(
                f"grid={self.grid}: give rows and columns of at least 1, and at most "
                f"{_EXACT_PIXELS:,} pixels, whose counts are exact in float32"
            )

    @property
    def name(self) -> str:
        """The alignment, for provenance."""
        if isinstance(self.alignment, str):
            return self.alignment
        return f"receptive_field, scale {self.alignment[0]:g}, offset {self.alignment[1]:g}"

    def upsampling(self, maps: UnitMaps) -> Upsampling:
        """The interpolation of a layer's maps to the grid.

        Raises:
          InputError: the receptive fields of the layer are not available.
        """
        seen = maps.network.preprocessing.size
        grid = self.grid or seen
        # A map of one position, such as a dense layer's, is the same on the whole image.
        if self.alignment == "corners" or maps.size == (1, 1):
            points = [points_by_corners(*pair) for pair in zip(maps.size, grid, strict=True)]
        else:
            points = [
                points_by_receptive_fields(*of_axis)
                for of_axis in zip(self._centers(maps), seen, grid, strict=True)
            ]
        down, across = (
            interpolation_matrix(of_axis, stored, outside=self.outside)
            for of_axis, stored in zip(points, maps.size, strict=True)
        )
        return Upsampling(down, across)

    def _centers(self, maps: UnitMaps) -> tuple[Centers, Centers]:
        if isinstance(self.alignment, str):
            return receptive_fields(maps.network, maps.layer)
        return Centers(*self.alignment), Centers(*self.alignment)
