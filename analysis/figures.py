"""How figures look: colours that colour-blind readers tell apart, and files without a screen."""

from __future__ import annotations

import io

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

# Okabe and Ito's palette.
DAMAGE = "#D55E00"
GAIN = "#0072B2"
OVERALL = "#000000"
_DPI = 160


def png(canvas: Canvas) -> bytes:
    """A figure as the content of a PNG file."""
    file = io.BytesIO()
    canvas.savefig(file, format="png", dpi=_DPI)
    return file.getvalue()


def tidy(axes: Axes) -> None:
    """Leave only the frame's left and lower side, and a light grid of values."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8)
