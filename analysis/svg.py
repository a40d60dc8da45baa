"""Figures as SVG: letters stay letters, and clouds of points one picture."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure as Canvas
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D

# More points than this would make a file that no program opens with ease.
_MOST_POINTS = 2000
_STYLE: Any = {"svg.fonttype": "none", "svg.hashsalt": "jaxunits"}


def svg_of(canvas: Canvas) -> bytes:
    """A figure as SVG, the same bytes every time.

    Args:
      canvas: a figure that was drawn before: it keeps its layout, which takes as long as drawing.
    """
    canvas.set_layout_engine("none")
    # Images keep their own pixels, which are fewer than those that they cover.
    for image in canvas.findobj(AxesImage):
        image.set_interpolation("none")
    for cloud in canvas.findobj(_is_cloud):
        cloud.set_rasterized(True)
    file = io.BytesIO()
    with rc_context(_STYLE):
        FigureCanvasSVG(canvas).print_svg(file, metadata={"Date": None, "Creator": None})
    return file.getvalue()


def _is_cloud(artist: Artist) -> bool:
    if isinstance(artist, PathCollection):
        return np.size(artist.get_offsets()) > 2 * _MOST_POINTS
    return (
        isinstance(artist, Line2D)
        and artist.get_marker() not in ("None", None)
        and np.size(artist.get_xdata()) > _MOST_POINTS
    )
