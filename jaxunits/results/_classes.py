"""Classes by name and by number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._kinds import checks_kinds


@checks_kinds
def class_coordinates(names: Sequence[str]) -> dict[str, Any]:
    """The coordinates of the dimension `class`: its names, and `class_index`, the labels.

    The second has no index of its own: xarray refuses to align arrays with it and arrays without.

    Args:
      names: of all classes, in the order of the labels.

    Returns:
      Coordinates as xarray takes them.

    Raises:
      InputError: these are no names.
    """
    return {"class": [str(name) for name in names], "class_index": ("class", np.arange(len(names)))}
