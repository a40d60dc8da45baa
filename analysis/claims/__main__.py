"""`python -m analysis.claims FOLDER … --output docs/findings.json`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

import jaxunits as ju
from jaxunits.analysis.claims.reading import measured_runs
from jaxunits.analysis.claims.rows import results_file, rows
from jaxunits.analysis.claims.rules import VERDICTS
from jaxunits.analysis.claims.statements import CLAIMS
from jaxunits.analysis.experiment import config
from jaxunits.files import write_json
from jaxunits.train.console import run_program
from jaxunits.train.start import end_program, start_program


@dataclass(frozen=True)
class Options:
    """Say which claims of the papers hold in networks that were measured."""

    folders: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Run folders, and studies' folders above several."""
    output: Path = Path("findings.json")
    """The results file."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    return run_program(_run, arguments)


def _run(arguments: list[str], console: Console) -> None:
    options = tyro.cli(Options, prog="python -m analysis.claims", args=arguments)
    if not options.folders:
        raise ju.InputError("no folders: give those of runs or studies that were measured")
    runs = measured_runs(options.folders)
    found = rows(runs, config()(options.folders[0]))
    write_json(options.output, results_file(runs, found))
    for key, claim in CLAIMS.items():
        counts = Counter(row.verdict for row in found if row.claim == key)
        listed = ", ".join(
            f"{verdict} {counts[verdict]}" for verdict in VERDICTS if counts[verdict]
        )
        console.print(f"{claim.text} {listed or 'not looked at'}")
    console.print(f"results: {options.output}")


if __name__ == "__main__":
    start_program()
    end_program(main())
