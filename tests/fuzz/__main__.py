"""Feed the library damaged files and odd arguments: nothing but `InputError` may come out.

    python -m tests.fuzz --seconds 60 --seed 0
    python -m tests.fuzz --files 3000 --only PNG JPEG

Counts by format and by functions how many cases were used as they should be ("whole"), refused, or
failed: ended in another error, took more than 10 s of the processor or 1.5 GB, or gave something
else than what the undamaged file holds. A hang or a crash ends the process; the folder that is left
has the target and the number of the case in its name.
"""

from __future__ import annotations

import faulthandler
import itertools
import logging
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import jax
import tyro
from rich.console import Console
from rich.table import Table

from tests.fuzz import calls, folders, results, weights
from tests.fuzz.cases import Target, run


def targets(folder: Path) -> list[Target]:
    """All of them; what they damage is made in a folder."""
    return [
        found for module in (weights, results, folders, calls) for found in module.targets(folder)
    ]


def main(
    seconds: float | None = None,
    seed: int = 0,
    files: int | None = None,
    first: int = 0,
    only: tuple[str, ...] = (),
    folder: Path | None = None,
) -> None:
    """Fuzz for a time or a number of cases, print what happened, exit with 1 where anything failed.

    Args:
      seconds: how long; 60 where no number of cases is given either.
      seed: of the damage and of the arguments.
      files: how many cases in all.
      first: the number of the first case of each target.
      only: names of targets; all by default.
      folder: where files are written; those that fail stay. A new folder by default.
    """
    console = Console()
    folder = (folder or Path(tempfile.mkdtemp(prefix="fuzz-"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    faulthandler.enable()
    jax.config.update("jax_platforms", "cpu")
    # What one call compiles others read, when the programs in memory have been dropped too.
    jax.config.update("jax_compilation_cache_dir", str(folder / "compiled"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    chosen = targets(folder)
    if unknown := set(only) - {target.name for target in chosen}:
        raise SystemExit(f"unknown: {unknown}; there are {[target.name for target in chosen]}")
    chosen = [target for target in chosen if target.name in only or not only]
    rounds = None if files is None else -(-files // len(chosen))
    seconds = 60.0 if seconds is None and files is None else seconds
    outcome = run(chosen, _numbers(first, rounds, seconds), seed, folder)
    table = Table("target", "whole", "refused", "failed")
    for target in chosen:
        table.add_row(target.name, *map(str, outcome.row(target.name)))
    console.print(table)
    console.print(f"{outcome.counts.total()} cases of seed {seed} in {folder}")
    for name, number, reason in outcome.failures:
        again = f"--seed {seed} --only {name!r} --first {number} --files 1"
        console.print(f"\npython -m tests.fuzz {again}\n{reason}", markup=False, highlight=False)
    raise SystemExit(bool(outcome.failures))


def _numbers(first: int, rounds: int | None, seconds: float | None) -> Iterator[int]:
    end = None if seconds is None else time.monotonic() + seconds
    numbers = itertools.count(first) if rounds is None else range(first, first + rounds)
    return itertools.takewhile(lambda _: end is None or time.monotonic() < end, numbers)


if __name__ == "__main__":
    # Orbax and asyncio tell of what they began and what could not be read.
    logging.disable()
    sys.unraisablehook = lambda _: None
    warnings.simplefilter("ignore")
    tyro.cli(main)
