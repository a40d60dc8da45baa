"""Ranges of numbers, and limits on the size of requested tables."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints

from ._arguments import is_real, is_whole, shown
from ._errors import InputError

# 512 MiB in float64.
MOST_NUMBERS = 2**26
# 8 GiB in float32, of a batch of images.
MOST_BATCH_NUMBERS = 2**31
# 2 GiB in float32, of a network built here.
MOST_PARAMETERS = 2**29
MOST_THREADS = 1024


@dataclass(frozen=True)
class Range:
    """Finite numbers from `least` to `most`; NaN is in no range.

    Attributes:
      least: the smallest number.
      most: the largest.
      open: the ends that are left out: `""`, `"least"`, `"most"` or `"both"`.
      whole: whether only integers are in the range.
    """

    least: int | float = -math.inf
    most: int | float = math.inf
    open: str = ""
    whole: bool = False

    def __contains__(self, number: Any) -> bool:
        """Whether this is a number in the range; infinity and ends that are left out are not."""
        if not (is_whole(number) if self.whole else is_real(number)):
            return False
        # Whole numbers of any length compare with infinity, but do not all become floating point.
        if not -math.inf < number < math.inf:
            return False
        above = number > self.least if self.open in ("least", "both") else number >= self.least
        below = number < self.most if self.open in ("most", "both") else number <= self.most
        return bool(above and below)

    def __str__(self) -> str:
        """The range in words."""
        low = high = ""
        if self.least > -math.inf:
            low = f"above {self.least}" if self.open in ("least", "both") else f"from {self.least}"
        if self.most < math.inf:
            high = f"below {self.most}" if self.open in ("most", "both") else f"up to {self.most}"
        ends = " ".join(filter(None, (low, high)))
        kind = "whole number" if self.whole else "number"
        return f"a {kind} {ends}" if ends else f"a finite {kind}"


# JAX draws from the last 32 bits of a seed alone: larger ones would be the same as small ones.
SEEDS = Range(0, 2**32 - 1, whole=True)
THREADS = Range(1, MOST_THREADS, whole=True)


def check_numbers(**numbers: tuple[int | float, Range]) -> None:
    """Refuse numbers outside their ranges.

    Args:
      numbers: by the name of the argument, the number and its range.

    Raises:
      InputError: naming each that is outside, and what may be given.
    """
    _refuse((name, *each) for name, each in numbers.items())


def check_settings(settings: Any) -> None:
    """Refuse settings outside the ranges that their fields are annotated with.

    Args:
      settings: a dataclass, perhaps of dataclasses; a field of type `Annotated[float, Range(…)]`
        takes numbers of that range alone, or None where the type has it; a tuple is checked number
        by number.

    Raises:
      InputError: naming each that is outside, and what may be given.
    """
    if not dataclasses.is_dataclass(settings) or isinstance(settings, type):
        raise InputError(f"settings={shown(settings)}: give a dataclass of settings")
    _refuse(_settings(settings, ""))


def _refuse(numbers: Iterator[tuple[str, int | float, Range]]) -> None:
    wrong = [
        f"{name}={_short(number)}: give {allowed}"
        for name, number, allowed in numbers
        if number not in allowed
    ]
    if wrong:
        raise InputError("; ".join(wrong))


def _short(number: Any) -> str:
    """A number, as a power of ten where it is too long to read; anything else as it is written."""
    if not is_real(number):
        return shown(number)
    if isinstance(number, int) and abs(number) >= 10**40:
        return f"{'-' if number < 0 else ''}1e{int(math.log10(abs(number)))}"
    return str(number)


def _settings(settings: Any, prefix: str) -> Iterator[tuple[str, int | float, Range]]:
    hints = get_type_hints(type(settings), include_extras=True)
    for field in dataclasses.fields(settings):
        name, value = f"{prefix}{field.name}", getattr(settings, field.name)
        if dataclasses.is_dataclass(value):
            yield from _settings(value, f"{name}.")
        for allowed in get_args(hints[field.name])[1:]:
            if isinstance(allowed, Range) and value is not None:
                numbers = value if isinstance(value, tuple) else (value,)
                yield from ((name, number, allowed) for number in numbers)


def check_table(rows: int, columns: int, asked: str, most: int = MOST_NUMBERS) -> None:
    """Refuse a table that would fill the memory.

    Args:
      rows: of the table.
      columns: of the table.
      asked: what asked for it, as `name=value`.
      most: how many numbers it may have.

    Raises:
      InputError: it has more numbers.
    """
    if rows * columns > most:
        raise InputError(
            f"{asked} gives {rows:,} × {columns:,} numbers: give fewer, at most "
            f"{most // max(1, columns):,} of {columns:,} numbers each"
        )


def check_parameter_count(count: int, asked: str) -> None:
    """Refuse parameters that would fill the memory.

    Args:
      count: how many numbers they are.
      asked: what has so many.

    Raises:
      InputError: there are more than 2^29.
    """
    if count > MOST_PARAMETERS:
        raise InputError(
            f"{asked} has {count:,} parameters or more, and at most {MOST_PARAMETERS:,} fit into "
            "2 GiB; give smaller widths"
        )
