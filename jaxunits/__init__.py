"""What does each unit of an image classifier do, and what breaks without it?"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._errors import InputError as InputError
from ._errors import unknown_name as unknown_name
from ._version import __version__ as __version__

if TYPE_CHECKING:
    from . import ablation as ablation
    from . import analysis as analysis
    from . import attributes as attributes
    from . import data as data
    from . import networks as networks
    from . import results as results
    from . import statistics as statistics
    from . import synthesis as synthesis
    from . import topology as topology
    from ._bounds import SEEDS as SEEDS
    from ._bounds import THREADS as THREADS
    from ._bounds import Range as Range
    from ._bounds import check_settings as check_settings
    from ._cluster import join_cluster as join_cluster
    from ._compilation_cache import use_compilation_cache as use_compilation_cache
    from .execution import Execution as Execution
    from .execution import Plan as Plan
    from .execution import evaluate as evaluate
    from .execution import measure as measure
    from .execution import plan as plan

_PACKAGES = frozenset(
    (
        *("ablation", "analysis", "attributes", "configs", "data", "execution", "files"),
        *("networks", "results", "statistics", "synthesis", "topology", "tracing", "train"),
    )
)
_NAMES = {
    **dict.fromkeys(("SEEDS", "THREADS", "Range", "check_settings"), "_bounds"),
    **dict.fromkeys(("Execution", "Plan", "evaluate", "measure", "plan"), "execution"),
    "join_cluster": "_cluster",
    "use_compilation_cache": "_compilation_cache",
}


def __getattr__(name: str) -> Any:
    """Import packages on first use: programs start, and draw from files, without JAX."""
    if name in _PACKAGES:
        return importlib.import_module(f".{name}", __name__)
    if name in _NAMES:
        found = getattr(importlib.import_module(f".{_NAMES[name]}", __name__), name)
        globals()[name] = found
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_PACKAGES, *_NAMES})
