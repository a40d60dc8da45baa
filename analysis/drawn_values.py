"""The numbers that a figure shows, read from what was drawn: they cannot differ from it."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.category import StrCategoryFormatter
from matplotlib.collections import Collection, PathCollection, PolyCollection, QuadMesh
from matplotlib.container import BarContainer, ErrorbarContainer
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter

COLUMNS = ("panel", "series", "x_axis", "x", "y_axis", "y", "low", "high", "value")
# Goes before labels from outside, which Matplotlib would hide where they begin with `_`.
VISIBLE = "\N{WORD JOINER}"
_UNLISTED = f"_{VISIBLE}"
# What Matplotlib calls artists that have no label.
_NO_LABEL = re.compile("_(child|container)[0-9]+|_nolegend_")
_Row = dict[str, Any]


def unlisted(name: str) -> str:
    """A name for the figure's numbers that its legend does not show."""
    return _UNLISTED + name


def values_of(canvas: Canvas) -> str:
    """What a figure shows as CSV, one row per point, bar, interval or cell of a map.

    Columns: `panel` (its title), `series` (its label), `x_axis` and `y_axis` (what the axes are
    called), `x` and `y` (the tick's name where an axis has names), `low` and `high` (the ends of
    a band or of an error bar) and `value` (the color of a map). Pictures have no numbers. A line
    across the whole panel has the one number that it is drawn at.

    Returns:
      The table, or nothing where the figure has no numbers.
    """
    rows = [row for axes in canvas.axes if _has_numbers(axes) for row in _rows(axes, canvas)]
    if not rows:
        return ""
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, _used(rows), restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _text(cell) for name, cell in row.items()})
    return table.getvalue()


def _has_numbers(axes: Axes) -> bool:
    """Whether a panel has axes, and is no other panel's scale of colors."""
    return bool(axes.axison) and not hasattr(axes, "_colorbar")


def _used(rows: list[_Row]) -> list[str]:
    """The columns, without those of bands and maps where there are none."""
    return [name for name in COLUMNS if name[-1] in "lsxy" or any(name in row for row in rows)]


def _rows(axes: Axes, canvas: Canvas) -> Iterator[_Row]:
    """The numbers of a panel, named by its axes."""
    head = {
        "panel": _told(axes, canvas, Axes.get_title, "above"),
        "x_axis": _told(axes, canvas, Axes.get_xlabel, "below"),
        "y_axis": _told(axes, canvas, Axes.get_ylabel, "before"),
    }
    name_x, name_y = _names(axes.xaxis), _names(axes.yaxis)
    for row in _numbers(axes):
        row["x"], row["y"] = name_x(row.get("x")), name_y(row.get("y"))
        yield head | row


def _told(axes: Axes, canvas: Canvas, text_of: Callable[[Axes], str], where: str) -> str:
    """What a panel is called, or its axis; in grids that stands at one panel for those behind it.

    Args:
      axes: the panel.
      canvas: its figure.
      text_of: its text.
      where: the panels of its grid that tell it too: `above` or `below` it, or `before` it.
    """
    own, place = text_of(axes), axes.get_subplotspec()
    if own or place is None:
        return _plain(own)
    row, column = place.rowspan.start, place.colspan.start
    found: dict[int, str] = {}
    for other in canvas.axes:
        at = other.get_subplotspec()
        if at is None or at.get_gridspec() is not place.get_gridspec() or not text_of(other):
            continue
        down, along = at.rowspan.start - row, at.colspan.start - column
        if where == "before" and down == 0 and along < 0:
            found[-along] = text_of(other)
        if along == 0 and {"above": down < 0, "below": down > 0}.get(where):
            found[abs(down)] = text_of(other)
    return _plain(found[min(found)]) if found else ""


def _numbers(axes: Axes) -> Iterator[_Row]:
    """The numbers of a panel's bars, lines, points and maps."""
    bars = [each for each in axes.containers if isinstance(each, BarContainer)]
    errors = [each for each in axes.containers if isinstance(each, ErrorbarContainer)]
    inside: set[Artist] = {part for each in bars for part in each.patches}
    inside |= {part for each in errors for part in each.get_children()}
    for bar in bars:
        yield from _of_bars(bar)
    for error in errors:
        # Those of bars stand in the bars' rows.
        if not any(bar.errorbar is error for bar in bars):
            yield from _of_error_bars(error)
    bands = [each for each in axes.collections if isinstance(each, PolyCollection)]
    for line in axes.lines:
        if line not in inside:
            yield from _of_line(axes, line, bands)
    for patch in axes.patches:
        if isinstance(patch, Rectangle) and patch not in inside and _label(patch):
            ends = patch.get_x(), patch.get_x() + patch.get_width()
            yield from ({"series": _label(patch), "x": end} for end in ends)
    for collection in axes.collections:
        yield from _of_collection(collection)
    if axes.get_xlabel():
        # Images on axes with names are maps; others are pictures.
        for image in axes.images:
            cells = np.asarray(image.get_array())
            if cells.ndim == 2:
                yield from _of_cells(cells, *(np.arange(size) for size in cells.shape[::-1]))


def _of_bars(bars: BarContainer) -> Iterator[_Row]:
    ends = _ends(bars.errorbar) if bars.errorbar else [{} for _ in bars.patches]
    lying = bars.orientation == "horizontal"
    for bar, value, end in zip(bars.patches, np.asarray(bars.datavalues), ends, strict=True):
        series = _label(bars) or _label(bar)
        if lying:
            yield {"series": series, "x": value, "y": bar.get_y() + bar.get_height() / 2, **end}
        else:
            yield {"series": series, "x": bar.get_x() + bar.get_width() / 2, "y": value, **end}


def _of_error_bars(error: ErrorbarContainer) -> Iterator[_Row]:
    # Of error bars without points there are ends alone.
    middle: Line2D | None = error.lines[0]
    if middle is not None:
        for point, end in zip(_points(middle), _ends(error), strict=True):
            yield {"series": _label(error), "x": point[0], "y": point[1], **end}


def _ends(error: ErrorbarContainer) -> list[_Row]:
    """The ends of error bars; they stand upright or lie."""
    along = 1 if error.has_yerr else 0
    found = [np.asarray(path.vertices)[:, along] for path in error.lines[2][-1].get_paths()]
    return [{"low": each[0], "high": each[-1]} for each in found]


def _of_line(axes: Axes, line: Line2D, bands: list[PolyCollection]) -> Iterator[_Row]:
    """A line's points, with the ends of the band around it; one of a line across the panel."""
    series = _label(line)
    points = _points(line)
    along, up = line.get_transform().contains_branch_seperately(axes.transData)
    if not (along and up):
        if series:
            yield {"series": series, **({"x": points[0, 0]} if along else {"y": points[0, 1]})}
        return
    found = (_band(each, line, points[:, 0]) for each in bands)
    band = next((ends for ends in found if ends is not None), None)
    for number, point in enumerate(points):
        row = {"series": series, "x": point[0], "y": point[1]}
        if band is not None:
            row |= {"low": band[0, number], "high": band[1, number]}
        yield row


def _points(line: Line2D) -> np.ndarray:
    """A line's points, `[points, 2]`, as numbers on the axes."""
    return np.asarray(line.get_xydata(), float).reshape(-1, 2)


def _band(band: PolyCollection, line: Line2D, x: np.ndarray) -> np.ndarray | None:
    """The lower and the upper ends of what `fill_between` drew around a line; None for others.

    Its outline begins at the first lower end, follows them, and comes back along the upper ones.
    """
    paths = band.get_paths()
    if _label(band) != _label(line) or len(paths) != 1 or len(paths[0]) != 2 * len(x) + 3:
        return None
    corners, count = np.asarray(paths[0].vertices), len(x)
    lower, upper = corners[1 : count + 1], corners[count + 2 : 2 * count + 2][::-1]
    return np.stack([lower[:, 1], upper[:, 1]]) if np.array_equal(lower[:, 0], x) else None


def _of_collection(collection: Collection) -> Iterator[_Row]:
    if isinstance(collection, PathCollection):
        for x, y in np.asarray(collection.get_offsets()):
            yield {"series": _label(collection), "x": x, "y": y}
    if isinstance(collection, QuadMesh):
        corners = np.asarray(collection.get_coordinates())
        middles = (corners[:-1, :-1] + corners[1:, 1:]) / 2
        cells = np.asarray(collection.get_array()).reshape(middles.shape[:2])
        yield from _of_cells(cells, middles[0, :, 0], middles[:, 0, 1])


def _of_cells(cells: np.ndarray, across: np.ndarray, down: np.ndarray) -> Iterator[_Row]:
    """The cells of a map, with where their middles are."""
    for (row, column), value in np.ndenumerate(cells):
        yield {"series": "", "x": across[column], "y": down[row], "value": value}


def _names(axis: Axis) -> Callable[[Any], Any]:
    """What a place on an axis is called: its number, where the ticks have no names."""
    formatter, locator = axis.get_major_formatter(), axis.get_major_locator()
    named = isinstance(formatter, FuncFormatter) and isinstance(locator, FixedLocator)
    if not (named or isinstance(formatter, StrCategoryFormatter)):
        return lambda place: place
    places = np.asarray(locator(), float)

    def name(place: Any) -> Any:
        if place is None or not len(places):
            return place
        # Dots of several series stand beside each other around a tick.
        nearest = places[np.abs(places - place).argmin()]
        near = formatter(nearest) if abs(nearest - place) < 0.5 else ""
        return _plain(formatter(place) or near) or place

    return name


def _label(artist: Artist | BarContainer | ErrorbarContainer) -> str:
    text = str(artist.get_label() or "")
    return "" if _NO_LABEL.fullmatch(text) else _plain(text.removeprefix(_UNLISTED))


def _plain(text: str) -> str:
    return " ".join(text.replace(VISIBLE, "").split())


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell
    return f"{cell:.8g}" if math.isfinite(cell) else ""
