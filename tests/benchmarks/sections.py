"""Tables that are measured row by row, until the time is up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table

Rows = Sequence[Sequence[str]]
SKIPPED = "skipped, the time is up"


@dataclass(frozen=True)
class Section:
    """A table whose rows are still to be measured.

    Attributes:
      title: of the table.
      columns: their names; the first one is of labels.
      caption: how the numbers came about.
      rows: by label what measures rows, of the cells behind the label.
    """

    title: str
    columns: Sequence[str]
    caption: str
    rows: Mapping[str, Callable[[], Rows]]


def measured(section: Section, is_over: Callable[[], bool]) -> tuple[Table, list[Exception]]:
    """Measure a section.

    Args:
      section: the section.
      is_over: whether what has not begun is skipped; asked before each label.

    Returns:
      The table, and the errors of labels that failed: the others are measured all the same.
    """
    table = Table(title=section.title, caption=section.caption, caption_justify="left")
    label, *columns = section.columns
    table.add_column(label, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right")
    errors = []
    for label, rows in section.rows.items():
        if is_over():
            table.add_row(label, SKIPPED)
            continue
        try:
            found = rows()
        except Exception as error:  # noqa: BLE001 - the caller raises it once all is measured
            errors.append(error)
            table.add_row(label, f"failed: {type(error).__name__}")
            continue
        for number, cells in enumerate(found):
            ends = 0 < number == len(found) - 1
            table.add_row("" if number else label, *cells, end_section=ends)
    return table, errors
