"""What is collected of units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .. import execution
from .._bounds import SEEDS, Range, check_numbers
from .._errors import InputError
from ._class_means import class_means
from ._collector import Collector
from ._correlation import correlation
from ._gradients import derivatives
from ._statistics import statistics
from ._top import top

ACTIVATIONS = ("mean", "max")
WEIGHED = ("classes", "images")


class Options(execution.Options, total=False):
    """The keywords of `Choices` and of `ju.Execution`, which `collect` takes."""

    activation: str
    selectivity: str
    gradients: bool
    top_images: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What is collected of units.

    Attributes:
      activation: what a unit's activation on an image is: the `"mean"` of its map or its largest
        value, `"max"`.
      selectivity: what weighs the same in the mean of a class's others: `"classes"` or `"images"`.
      gradients: whether to run the network backwards too, for `gradient` and `taylor`.
      top_images: how many of the images that activate a unit most are named.
      seed: of the attribute `random`.
    """

    activation: str = "mean"
    selectivity: str = "classes"
    gradients: bool = True
    top_images: int = 9
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be collected.

        Raises:
          InputError: a name is unknown or a number is out of its range.
        """
        for name, known in (("activation", ACTIVATIONS), ("selectivity", WEIGHED)):
            value = getattr(self, name)
            if not isinstance(value, str) or value not in known:
                raise InputError(f"{name}={value!r}: give one of {', '.join(known)}")
        if not isinstance(self.gradients, bool):
            raise InputError(f"gradients={self.gradients!r}: give True or False")
        check_numbers(top_images=(self.top_images, Range(0, whole=True)), seed=(self.seed, SEEDS))

    def collectors(self) -> list[Collector[Any]]:
        """The collectors that serve these choices, those of Zhou et al. 2018 first."""
        found: list[Collector[Any]] = [correlation, class_means(self.selectivity), statistics]
        found += [derivatives] if self.gradients else []
        return found + ([top(self.top_images)] if self.top_images else [])
