"""Numbers of units and pixels of a network's layers, and invalid sizes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .._bounds import SEEDS, Range, check_numbers, check_parameter_count
from .._errors import InputError


@dataclass(frozen=True)
class MapSize:
    """The size of the maps at a place of a network.

    Attributes:
      network: whose maps they are, for errors.
      images: height and width of its images.
      size: height and width of the maps.
    """

    network: str
    images: tuple[int, int]
    size: tuple[int, int]

    @classmethod
    def of_images(cls, network: str, images: tuple[int, int]) -> MapSize:
        """The size before the first layer."""
        return cls(network, images, images)

    def behind(
        self, module: str, window: int, strides: int = 1, padding: int = 0, *, ceil: bool = False
    ) -> MapSize:
        """The size behind a convolution or pool.

        Args:
          module: its name, for errors.
          window: side of its window in pixels.
          strides: its step.
          padding: pixels on each side.
          ceil: whether windows that extend beyond the edges count.

        Raises:
          InputError: nothing is left of the maps.
        """
        over = strides - 1 if ceil else 0
        height, width = ((side + 2 * padding - window + over) // strides + 1 for side in self.size)
        if min(height, width) < 1:
            raise InputError(
                f"images of {self.images[0]}×{self.images[1]} are too small for network "
                f"{self.network!r}: {module} leaves nothing of them. Give larger images or fewer "
                "layers that shrink them"
            )
        return replace(self, size=(height, width))


def scaled(units: int, width: float) -> int:
    """How many units are left of a layer in a narrower or wider network; at least one."""
    return max(1, round(units * width))


def check_sizes(builder: str, classes: int, width: float, seed: int) -> None:
    """Refuse a network without classes or units, and seeds that JAX does not tell apart.

    Raises:
      InputError: naming the value.
    """
    if classes < 1 or width not in Range(0, open="least"):
        raise InputError(
            f"{builder} with classes={classes} and width={width}: give at least one class and a "
            "width above 0"
        )
    check_numbers(seed=(seed, SEEDS))


def check_widths(builder: str, classes: int, widths: Sequence[int], seed: int) -> None:
    """Refuse a network without layers, units or classes, or too large a one.

    Raises:
      InputError: naming the value.
    """
    if not widths or min(*widths, classes) < 1:
        raise InputError(
            f"{builder} with widths={tuple(widths)} and classes={classes}: give at least one "
            "layer, and positive integers"
        )
    sizes = [*widths, classes]
    check_parameter_count(
        sum(map(math.prod, itertools.pairwise(sizes))),
        f"{builder} with widths={tuple(widths)} and classes={classes}",
    )
    check_numbers(seed=(seed, SEEDS))
