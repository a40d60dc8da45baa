"""Figures as SVG: letters stay letters, and clouds of points are one picture."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Canvas

# More points than this would make a file that programs open with effort.
_MOST_POINTS = 2000
_STYLE: Any = {"svg.fonttype": "none", "svg.hashsalt": "jaxunits"}


def svg_of(canvas: Canvas) -> bytes:
    """A figure as SVG, the same bytes every time.

    Args:
      canvas: a figure that was drawn before: it keeps its layout, which takes as long as drawing.
    """
    canvas.set_layout_engine("none")
    for axes in canvas.axes:
        _lighten(axes)
    file = io.BytesIO()
    with rc_context(_STYLE):
        FigureCanvasSVG(canvas).print_svg(file, metadata={"Date": None, "Creator": None})
    return file.getvalue()


def _lighten(axes: Axes) -> None:
    """Leave images their own pixels, fewer than they cover, and make pictures of large clouds."""
    for image in axes.images:
        image.set_interpolation("none")
    for points in axes.collections:
        points.set_rasterized(np.shape(points.get_offsets())[0] > _MOST_POINTS)
    for line in axes.lines:
        has_markers = line.get_marker() not in ("None", None)
        line.set_rasterized(has_markers and np.size(line.get_xdata()) > _MOST_POINTS)
