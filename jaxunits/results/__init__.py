"""Results of measurements: labeled arrays with provenance, and the folder that holds them."""

import importlib
from typing import TYPE_CHECKING, Any

from ._classes import class_coordinates as class_coordinates
from ._detectors import detectors_by_category as detectors_by_category
from ._detectors import detectors_by_concept as detectors_by_concept
from ._measured import beside as beside
from ._measured import read_result as read_result
from ._measured import timing_of as timing_of
from ._most_damaging import most_damaging as most_damaging
from ._netcdf import read as read
from ._netcdf import write as write
from ._provenance import raise_if_different as raise_if_different
from ._run_folder import RunFolder as RunFolder
from ._substitution import representative_substitution as representative_substitution
from ._table import table as table

if TYPE_CHECKING:
    from ._fingerprint import environment as environment
    from ._fingerprint import fingerprint as fingerprint


def __getattr__(name: str) -> Any:
    """Import what needs JAX on first use: results are read without it."""
    if name in ("environment", "fingerprint"):
        return getattr(importlib.import_module("._fingerprint", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), "environment", "fingerprint"})
