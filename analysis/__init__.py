"""From a network and images to measurements, figures and a report: `jaxunits analysis RUN`.

`study` does so from scripts and notebooks; `Experiment` and `Measurement` are what a new one is.
"""

import importlib
from typing import TYPE_CHECKING, Any

from jaxunits._optional import check_installed

if TYPE_CHECKING:
    from .experiment import Experiment as Experiment
    from .figures import rendered as rendered
    from .measurement import Measurement as Measurement
    from .measurement import Results as Results
    from .runs import Panel as Panel
    from .runs import Run as Run
    from .runs import Runs as Runs
    from .section import Figure as Figure
    from .section import Section as Section
    from .section import Table as Table
    from .studies import Study as Study
    from .studies import study as study
    from .subject import Subject as Subject

_NAMES = {
    "Experiment": "experiment",
    "rendered": "figures",
    **dict.fromkeys(("Results", "Measurement"), "measurement"),
    **dict.fromkeys(("Panel", "Run", "Runs"), "runs"),
    **dict.fromkeys(("Figure", "Section", "Table"), "section"),
    **dict.fromkeys(("Study", "study"), "studies"),
    "Subject": "subject",
}


def __getattr__(name: str) -> Any:
    """Import what is used first then: the program begins without large packages."""
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for package in ("tyro", "matplotlib", "jinja2"):
        check_installed(package, "programs", f"jaxunits.analysis.{name}")
    return getattr(importlib.import_module(f".{_NAMES[name]}", __name__), name)
