"""`python -m analysis RUN [experiments] [overrides]`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

import jax
import tyro
from rich.console import Console
from rich.table import Table as Screen

import jaxunits as ju

from . import drop_curves, unit_panels
from .config import EXPERIMENTS, Config, Experiment
from .measure import Measurements, measure, print_plans, read_measurements
from .report import accuracy, summary, write_report
from .section import Section

_RUN: Mapping[Experiment, Callable[[Measurements], Section]] = {
    "drop_curves": drop_curves.run,
    "unit_panels": unit_panels.run,
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    console = Console(soft_wrap=True)
    try:
        config = tyro.cli(
            Config,
            prog="python -m analysis",
            args=sys.argv[1:] if arguments is None else arguments,
        )
        if config.distributed:
            ju.join_cluster()
        if config.plan:
            print_plans(config, console)
            return 0
        measurements = measure(config, console) if config.measure else read_measurements(config)
        if jax.process_index() > 0:
            return 0
        sections = [_RUN[name](measurements) for name in EXPERIMENTS if name in config.experiments]
        path = write_report(ju.results.RunFolder(config.run), sections, measurements)
    except (ju.InputError, OSError) as error:
        Console(stderr=True, soft_wrap=True).print(f"error: {error}", style="red", markup=False)
        return 2
    except KeyboardInterrupt:
        console.print("stopped: the same command goes on from here")
        return 130
    _print_summary(console, measurements)
    console.print(f"report: {path}", highlight=False)
    return 0


def _print_summary(console: Console, measurements: Measurements) -> None:
    table = summary(measurements)
    before = accuracy(next(iter(measurements.sweeps.values())))
    screen = Screen(title=f"accuracy {before:.2%}; {table.caption[0].lower()}{table.caption[1:]}")
    for number, column in enumerate(table.columns):
        screen.add_column(column, justify="left" if number == 0 else "right")
    for row in table.rows:
        screen.add_row(*row)
    console.print(screen)


if __name__ == "__main__":
    ju.use_compilation_cache()
    sys.exit(main())
