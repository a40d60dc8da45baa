"""`python -m analysis RUN [experiments] [overrides]`."""

from __future__ import annotations

from train.start import STOPPED, STOPPED_STATUS, end_program, start_program, stoppable

if __name__ == "__main__":
    start_program()

import dataclasses
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import jax
import tyro
from rich.console import Console
from rich.table import Table as Screen

import jaxunits as ju
from train.console import plain_console

from .config import Config, Experiment
from .experiments import (
    concepts,
    correlations,
    drop_curves,
    greedy,
    phase_transition,
    prediction,
    roles,
    rotations,
    stability,
    substitution,
    synthesised_images,
    topology,
    unit_panels,
)
from .measure import measure, print_plans, read_measurements
from .report import summary, title_of, write_report
from .runs import Run, Runs, folders
from .section import Section

_RUN: Mapping[Experiment, Callable[[Runs], Section]] = {
    "drop_curves": drop_curves.run,
    "unit_panels": unit_panels.run,
    "correlations": correlations.run,
    "prediction": prediction.run,
    "rotations": rotations.run,
    "greedy": greedy.run,
    "concepts": concepts.run,
    "topology": topology.run,
    "phase_transition": phase_transition.run,
    "stability": stability.run,
    "roles": roles.run,
    "substitution": substitution.run,
    "synthesised_images": synthesised_images.run,
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    console = plain_console()
    try:
        with stoppable():
            _analyse(sys.argv[1:] if arguments is None else arguments, console)
    except (ju.InputError, OSError) as error:
        plain_console(stderr=True).print(f"error: {error}", style="red")
        return 2
    except KeyboardInterrupt:
        console.print(STOPPED)
        return STOPPED_STATUS
    return 0


def _analyse(arguments: list[str], console: Console) -> None:
    config = tyro.cli(
        Config,
        prog="python -m analysis",
        args=arguments,
    )
    if config.distributed:
        ju.join_cluster()
    paths = folders(config.run)
    experiments = config.chosen(len(paths))
    if config.plan:
        for path in paths:
            print_plans(dataclasses.replace(config, run=path), console)
        return
    runs = Runs([_run(path, config, experiments, console) for path in paths], config)
    if jax.process_index() > 0:
        return
    sections = [_RUN[name](runs) for name in experiments]
    path = write_report(config.run, sections, runs)
    _print_summary(console, runs)
    console.print(f"report: {path}")


def _run(path: Path, config: Config, experiments: Sequence[Experiment], console: Console) -> Run:
    """Measure a network, or read what was measured."""
    own = dataclasses.replace(config, run=path)
    if path == config.run:
        configuration, seed = path.name, path.name
    else:
        configuration, seed = path.parent.name, path.name
        console.print(f"{configuration}, {seed}")
    if config.measure:
        return Run(configuration, seed, measure(own, experiments, console))
    return Run(configuration, seed, read_measurements(own, experiments))


def _print_summary(console: Console, runs: Runs) -> None:
    table = summary(runs)
    screen = Screen(title=f"{title_of(runs)}; {table.caption[0].lower()}{table.caption[1:]}")
    for number, column in enumerate(table.columns):
        screen.add_column(column, justify="left" if number == 0 else "right", no_wrap=number == 0)
    for row in table.rows:
        screen.add_row(*row)
    console.print(screen)


if __name__ == "__main__":
    ju.use_compilation_cache()
    end_program(main())
