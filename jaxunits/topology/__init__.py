"""The topology of feature maps: Betti curves, birth points, feature entropy, importance rank."""

import importlib
from typing import TYPE_CHECKING, Any

from ._entropy import effectiveness as effectiveness
from ._entropy import feature_entropy as feature_entropy
from ._entropy import importance_order as importance_order
from ._entropy import selective_rate as selective_rate
from ._stability import importance_orders as importance_orders
from ._stability import most_often_in_top as most_often_in_top
from ._stability import random_subsets as random_subsets
from ._stability import stability_ratio as stability_ratio
from ._stability import times_in_top as times_in_top

if TYPE_CHECKING:
    from ._birth_points import birth_points as birth_points
    from ._layer import BirthPoints as BirthPoints
    from ._layer import layer_birth_points as layer_birth_points
    from ._persistence import betti_curves as betti_curves
    from ._persistence import persistence as persistence

_NAMES = {
    "birth_points": "_birth_points",
    **dict.fromkeys(("BirthPoints", "layer_birth_points"), "_layer"),
    **dict.fromkeys(("betti_curves", "persistence"), "_persistence"),
}


def __getattr__(name: str) -> Any:
    """Import what needs JAX on first use: existing birth points are read without it."""
    if name in _NAMES:
        return getattr(importlib.import_module(f".{_NAMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES})
