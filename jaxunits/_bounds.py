"""How large a table of numbers that somebody asked for may become."""

from __future__ import annotations

from ._errors import InputError

# 512 MiB in float64.
MOST_NUMBERS = 2**26


def check_table(rows: int, columns: int, asked: str) -> None:
    """Refuse a table that would fill the memory.

    Args:
      rows: of the table.
      columns: of the table.
      asked: what asked for it, as `name=value`.

    Raises:
      InputError: it has more than 2^26 numbers.
    """
    if rows * columns > MOST_NUMBERS:
        raise InputError(
            f"{asked} gives {rows:,} × {columns:,} numbers: give fewer, at most "
            f"{MOST_NUMBERS // max(1, columns):,} of {columns:,} numbers each"
        )
