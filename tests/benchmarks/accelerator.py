"""All that is worth knowing on an accelerator: `python -m tests.benchmarks.accelerator`.

Takes at most about 8 minutes on a GPU; what would begin later is skipped, and the table says so. On
CPUs networks are small, so that the program itself is tried out in a minute. Random weights.
Nothing is read from a cache of compiled programs unless `JAX_COMPILATION_CACHE_DIR` is set. Plain
passes are the network's predictions in one batch that is on the device already, with products as
exact as in the sweeps beside them. PyTorch runs in float32 on the same device, where it is there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

import jax
import tyro
from rich.console import Console
from rich.table import Table

from .accelerator_calls import first_calls, memory
from .accelerator_cases import Settings, default_settings
from .accelerator_rates import matrix_rates, plain_passes
from .accelerator_sections import attributes, birth_points, precisions, sweeps, synthesis
from .sections import Section, measured

# First calls come first: later ones find programs that are compiled already.
SECTIONS: Mapping[str, Callable[[Settings], Section]] = {
    "first": first_calls,
    "memory": memory,
    "matrices": matrix_rates,
    "plain": plain_passes,
    "sweeps": sweeps,
    "precisions": precisions,
    "attributes": attributes,
    "births": birth_points,
    "synthesis": synthesis,
}


def main(settings: Settings) -> None:
    """Measure and print each table as soon as it is there.

    Raises:
      ExceptionGroup: rows failed.
    """
    console = Console(width=140)
    device, started = jax.devices()[0], time.perf_counter()
    console.print(f"{device.device_kind} ({device.platform}), JAX {jax.__version__}; {settings}")
    errors: list[Exception] = []
    for table, failed in tables(settings):
        console.print(table)
        errors += failed
    console.print(f"{time.perf_counter() - started:.0f} s in all")
    if errors:
        raise ExceptionGroup("some rows failed", errors)


def tables(settings: Settings) -> Iterator[tuple[Table, list[Exception]]]:
    """The tables one after another, each with the errors of its rows that failed."""
    end = time.perf_counter() + 60 * settings.minutes
    for name in settings.tables.split(",") if settings.tables else SECTIONS:
        yield measured(SECTIONS[name](settings), lambda: time.perf_counter() >= end)


if __name__ == "__main__":
    main(tyro.cli(Settings, default=default_settings()))
