"""What an experiment hands to the report."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

import jaxunits as ju

# How a cell with a number begins.
_NUMBER = re.compile(r"[<=±+−-]?\s*\d")


def unit_address(layer: str, unit: object, network: str = "") -> str:
    """Where a unit is in the page of all units: `conv4/17`, what URLs lack in percent signs.

    Args:
      layer: its layer.
      unit: its number.
      network: its network's name, where there are several.
    """
    of = f"@{quote(network, safe='')}" if network else ""
    return f"{quote(layer, safe='')}/{unit}{of}"


@dataclass(frozen=True)
class Figure:
    """A picture.

    Attributes:
      name: its file's name, without suffix.
      png: the file's content.
      caption: what it shows.
      zoomable: whether it is large: folded away on the page, and enlarged by a click.
      svg: the same drawing in lines and letters; empty where it is a picture alone.
      values: the numbers that it shows as CSV; empty where it shows none.
      unit: where the unit that it shows is in the explorer, of `unit_address`; empty for others.

    Notebooks show it.
    """

    name: str
    png: bytes = field(repr=False)
    caption: str
    zoomable: bool = False
    svg: bytes = field(default=b"", repr=False)
    values: str = field(default="", repr=False)
    unit: str = ""

    @property
    def files(self) -> dict[str, bytes]:
        """What is kept of it, by the files' names."""
        kept = {"png": self.png, "svg": self.svg, "csv": self.values.encode()}
        return {f"{self.name}.{suffix}": content for suffix, content in kept.items() if content}

    def _repr_png_(self) -> bytes:
        return self.png


@dataclass(frozen=True)
class Table:
    """Rows of text.

    Attributes:
      caption: what it lists.
      columns: the heads of the columns.
      rows: as many texts each as there are columns.

    Notebooks show it.
    """

    caption: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]

    @classmethod
    def of(cls, caption: str, rows: Iterable[Mapping[str, object]]) -> Table:
        """A table of rows that name their columns; what a row lacks is empty there."""
        listed = list(rows)
        columns = tuple(dict.fromkeys(column for row in listed for column in row))
        texts = [tuple(str(row.get(column, "")) for column in columns) for row in listed]
        return cls(caption, columns, texts)

    @property
    def words(self) -> list[int]:
        """The columns, counted from 1, whose cells are words rather than numbers."""
        return [
            number
            for number, cells in enumerate(zip(*self.rows, strict=True), 1)
            if 2 * sum(not _NUMBER.match(cell) for cell in cells if cell) > sum(map(bool, cells))
        ]

    def _repr_html_(self) -> str:
        import pandas as pd

        return str(pd.DataFrame(self.rows, columns=list(self.columns)).to_html(index=False))


@dataclass(frozen=True)
class Section:
    """One experiment's part of the report.

    Attributes:
      title: its head.
      text: paragraphs that say what is measured and how to read it.
      figures: pictures.
      tables: tables.
      findings: sentences that say what was found, the numbers that matter in them; they stand
        first.
    """

    title: str
    text: list[str]
    figures: list[Figure] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    @property
    def figure(self) -> Figure:
        """The first of its figures.

        Raises:
          InputError: it has none.
        """
        if not self.figures:
            raise ju.InputError(f"the section {self.title!r} has no figures: {' '.join(self.text)}")
        return self.figures[0]
