"""Consoles that print names as they are, and how a program ends on request."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any

from rich.console import Console

import jaxunits as ju

from .start import STOPPED, STOPPED_STATUS, stoppable


def plain_console(**options: Any) -> Console:
    """A console that prints names of files and networks as they are: no markup, no emoji codes."""
    return Console(soft_wrap=True, markup=False, emoji=False, highlight=False, **options)


def run_program(run: Callable[[list[str], Console], None], arguments: list[str] | None) -> int:
    """Run a command line; invalid input is printed as an error.

    Args:
      run: the program, of its arguments and the console to print on.
      arguments: the command line; that of the process by default.

    Returns:
      The exit status.
    """
    console = plain_console()
    # What is imported by now stays, and need not be looked through for garbage again and again.
    gc.freeze()
    gc.enable()
    try:
        with stoppable():
            run(sys.argv[1:] if arguments is None else arguments, console)
    except (ju.InputError, OSError) as error:
        plain_console(stderr=True).print(f"error: {error}", style="red")
        return 2
    except KeyboardInterrupt:
        console.print(STOPPED)
        return STOPPED_STATUS
    return 0
