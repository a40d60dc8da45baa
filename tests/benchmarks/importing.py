"""What importing costs: `python -m tests.benchmarks.importing`.

Seconds of `import jaxunits` and of what it cannot do without, `import jax, flax.nnx, xarray`, each
in fresh processes, in turn. The interpreter's own start is left out. The first round, which warms
the disk's cache and compiles to bytecode as an installation does, is not counted.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from dataclasses import dataclass

import tyro
from rich.console import Console
from rich.table import Table

SIDES = ("jaxunits", "jax, flax.nnx, xarray")
PROGRAM = """
import time
started = time.perf_counter()
import {modules}
print(time.perf_counter() - started)
"""


@dataclass(frozen=True)
class Settings:
    """What to measure."""

    rounds: int = 9
    """How often both sides are imported, in turn; medians are printed."""


def main(settings: Settings) -> None:
    """Measure and print a table."""
    rounds = [{side: seconds(side) for side in SIDES} for _ in range(1 + settings.rounds)][1:]
    table = Table(title=f"seconds, medians of {settings.rounds} rounds")
    table.add_column("")
    for column in ("median", "least", "most"):
        table.add_column(column, justify="right")
    medians = []
    for side in SIDES:
        found = [each[side] for each in rounds]
        medians.append(statistics.median(found))
        figures = (medians[-1], min(found), max(found))
        table.add_row(f"import {side}", *(f"{figure:.2f}" for figure in figures))
    table.add_row("ratio", f"{medians[0] / medians[1]:.2f}")
    Console().print(table)


def seconds(modules: str) -> float:
    """Of an import in a process of its own."""
    command = [sys.executable, "-c", PROGRAM.format(modules=modules)]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


if __name__ == "__main__":
    main(tyro.cli(Settings))
