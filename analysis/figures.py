"""How figures look: colors that color-blind readers tell apart, and files without a screen."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from jaxtyping import Bool, Float, UInt8
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Patch
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator
from PIL import Image

from .drawn_values import VISIBLE, unlisted, values_of
from .fonts import families, without_glyph
from .section import Figure
from .svg import svg_of

# Okabe and Ito's palette.
DAMAGE = "#D55E00"
GAIN = "#0072B2"
OVERALL = "#000000"
CHANCE = "0.6"
BY_CHANCE = "by chance"
# Of configurations, classes, attributes; black and gray are taken.
SERIES = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#B8A800")
STYLES = ("-", "--", ":", "-.")
# Set while experiments draw.
STYLE: Any = {
    "axes.labelsize": 8,
    "axes.titlesize": 10,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.title_fontsize": 7,
    "legend.frameon": False,
    # At this resolution letters need no fitting to pixels, which takes a tenth of the time.
    "text.hinting": "none",
}
POINTS = "accuracy drop\n(percentage points)"
_DPI = 160
# Between small images, as a share of their size.
_GAP = 0.1


def rendered(name: str, canvas: Canvas, caption: str) -> Figure:
    """A figure as the report takes it, its texts drawn as they are.

    Args:
      name: its file's name, without suffix.
      canvas: what was drawn.
      caption: what it shows; characters that no font has are added to it.

    Returns:
      The figure as a PNG with its caption.
    """
    fonts = families()
    texts = [text for text in canvas.findobj(Text) if isinstance(text, Text)]
    for text in texts:
        text.set_text(text.get_text().removeprefix(VISIBLE))
        # A dollar in a name is no formula.
        text.set_parse_math(False)
        text.set_fontfamily(fonts)
    canvas.set_dpi(_DPI)
    page = FigureCanvasAgg(canvas)
    # Ticks are made again while a figure is drawn.
    with (
        rc_context({"text.parse_math": False, "font.family": fonts}),
        warnings.catch_warnings(),
    ):
        # The caption says so instead.
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from", UserWarning)
        # Drawn once: savefig would draw a figure with a layout twice.
        page.draw()
        svg = svg_of(canvas)
    file = io.BytesIO()
    # Nothing is transparent. Harder compression takes twice the time and saves a tenth.
    picture = Image.fromarray(np.asarray(page.buffer_rgba())[..., :3])
    picture.save(file, "png", compress_level=1)
    missing = without_glyph(text.get_text() for text in texts)
    if missing:
        caption += (
            " Characters that no font of this machine has, drawn as boxes: "
            f"{' '.join(missing[:40])}{' …' if len(missing) > 40 else ''}; install one that has "
            "them, such as Noto Sans of their script, and run the analysis again."
        )
    return Figure(name, file.getvalue(), caption, svg=svg, values=values_of(canvas))


def label_of(name: str) -> str:
    """A name from outside as the label of a curve; Matplotlib hides labels that begin with `_`."""
    return VISIBLE + name


def tidy(axes: Axes) -> None:
    """Leave only the frame's left and lower side, and a light grid of values."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)


def panels_of(
    count: int,
    columns: int,
    size: tuple[float, float],
    *,
    around: tuple[float, float] = (0.4, 0.5),
    label: str = "",
    **options: Any,
) -> tuple[Canvas, list[Axes]]:
    """A figure of panels in rows of equal length.

    Args:
      count: how many.
      columns: in a row, at most.
      size: of a panel, in inches.
      around: what the figure has beside them.
      label: of the y axis, for the first of each row.
      options: of `Figure.subplots`.
    """
    columns = min(columns, count)
    rows = -(-count // columns)
    inches = (size[0] * columns + around[0], size[1] * rows + around[1])
    canvas = Canvas(figsize=inches, layout="constrained")
    grid = canvas.subplots(rows, columns, squeeze=False, **options)
    for axes in grid.flat[count:]:
        axes.remove()
    for axes in grid[:, 0]:
        axes.set_ylabel(label)
    return canvas, list(grid.flat[:count])


def band(
    axes: Axes,
    across: Any,
    curves: Sequence[Any],
    *,
    alpha: float = 0.2,
    **look: Any,
) -> None:
    """A curve and what it varies in: the lower end, the curve, the upper end."""
    low, middle, high = curves
    # With the name of its curve, so that their numbers stand together.
    name = unlisted(look.get("label", ""))
    axes.fill_between(across, low, high, color=look["color"], alpha=alpha, linewidth=0, label=name)
    axes.plot(across, middle, **look)


def panel(axes: Axes, title: str, across: str) -> None:
    """A tidy panel with a title and whole numbers of units across."""
    axes.axhline(0, color="0.6", linewidth=0.6, zorder=0)
    axes.set(title=title, xlabel=across)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    tidy(axes)


def color_of(number: int) -> str:
    """The color of one of several curves."""
    return SERIES[number % len(SERIES)]


def style_of(number: int) -> str:
    """Its line style, which changes when the colors come again."""
    return STYLES[number // len(SERIES) % len(STYLES)]


def look_of(number: int) -> dict[str, Any]:
    """Its color and line style, as options of `plot`."""
    return {"color": color_of(number), "linestyle": style_of(number)}


def legend(canvas: Canvas, *panels: Axes, columns: int = 4, patches: Sequence[Patch] = ()) -> None:
    """One legend of all panels, and of some colors, above them, where it covers nothing."""
    found: dict[str, Artist] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(str(label), handle)
    if BY_CHANCE in found:
        # What all are compared with comes last.
        found[BY_CHANCE] = found.pop(BY_CHANCE)
    found |= {str(patch.get_label()): patch for patch in patches}
    canvas.legend(
        list(found.values()),
        list(found),
        loc="outside upper center",
        ncols=columns,
    )


def pictures(
    axes: Axes,
    images: UInt8[np.ndarray, "rows columns y x channels"],
    labels: Sequence[Sequence[str]],
    title: str,
    place: tuple[float, float, float, float],
    *,
    room: float = 0,
) -> None:
    """A grid of small images, drawn as one: an Axes for each would take most of the time.

    Args:
      axes: over the whole figure, for grids alone.
      images: gray or in colors; 255 where there is none.
      labels: what stands above each image, by row; a row may be shorter.
      title: what stands above all.
      place: where there is room, in shares of the figure: left, lower, width and height.
      room: for the labels above each image, as a share of its height.
    """
    rows, columns, height, width, channels = images.shape
    beside, above = math.ceil(_GAP * width), math.ceil((_GAP + room) * height)
    framed = ((0, 0), (0, 0), (above, 0), (0, beside), (0, 0))
    whole = np.pad(images, framed, constant_values=255).swapaxes(1, 2)
    whole = whole.reshape(rows * (above + height), columns * (width + beside), channels)
    size = np.array(cast(Canvas, axes.figure).get_size_inches())
    corner, across = np.array(place[:2]) * size, np.array(place[2:]) * size
    # As large as it can be, in the middle.
    pixels = np.array([whole.shape[1], whole.shape[0]])
    inch = min(across / pixels)
    left, lower = corner + (across - inch * pixels) / 2
    right, top = left + inch * whole.shape[1], lower + inch * whole.shape[0]
    drawn = np.broadcast_to(whole, (*whole.shape[:2], 3))
    axes.imshow(drawn, extent=(left, right, lower, top), aspect="auto")
    # Ticks that nobody sees would take longer than the images.
    axes.set(xticks=[], yticks=[], xlim=(0, size[0]), ylim=(0, size[1]))
    axes.set_axis_off()
    axes.text((left + right) / 2, top + 1 / 12, title, fontsize=8, ha="center")
    for row, texts in enumerate(labels):
        for column, text in enumerate(texts):
            x, y = column * (width + beside), row * (above + height) + above - _GAP / 2 * height
            axes.text(left + inch * x, top - inch * y, text, fontsize=8, va="bottom")


def active_places(
    unit_map: Float[np.ndarray, "rows columns"], threshold: float, shape: tuple[int, ...]
) -> Bool[np.ndarray, "y x"]:
    """Where a unit's map, bilinear at the size of its image, is above a threshold."""
    picture = Image.fromarray(unit_map.astype(np.float32))
    size = (shape[1], shape[0])
    return np.asarray(picture.resize(size, Image.Resampling.BILINEAR)) > threshold
