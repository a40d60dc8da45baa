"""The installed command: `jaxunits analysis RUN …` and `jaxunits train NAME …`."""

from __future__ import annotations

import importlib
import sys

from ._errors import InputError, unknown_name
from ._optional import check_installed
from .train.start import end_program, start_program

_PROGRAMS = {
    "analysis": "Measure what the units of a network do, draw it and write a report.",
    "train": "Train networks of a configuration, the package's or your own.",
}


def main() -> None:
    """Run the program that the command line names, and end with its status."""
    start_program()
    name, *arguments = sys.argv[1:] or ["--help"]
    if name in ("--help", "-h"):
        listed = "\n".join(f"  {each:10}{text}" for each, text in _PROGRAMS.items())
        sys.stdout.write(
            f"usage: jaxunits PROGRAM …, see jaxunits PROGRAM --help\n\n{listed}\n\n"
            "jaxunits --tyro-print-completion bash prints completions for a shell (or zsh, tcsh).\n"
        )
        end_program(0)
    if name.startswith("--tyro-"):
        _print_completion(sys.argv[1:])
    if name not in _PROGRAMS:
        sys.stderr.write(f"error: {unknown_name('program', name, _PROGRAMS, 'jaxunits')}\n")
        end_program(2)
    try:
        for package in ("tyro", "matplotlib", "jinja2"):
            check_installed(package, "programs", f"jaxunits {name}")
    except InputError as error:
        sys.stderr.write(f"error: {error}\n")
        end_program(2)
    program = importlib.import_module(f".{name}.command", __package__)
    end_program(program.main(arguments, prog=f"jaxunits {name}"))


def _print_completion(arguments: list[str]) -> None:
    """Print or write what completes the command in a shell: programs, their names and options."""
    import dataclasses
    from typing import Annotated, Any, Literal

    import tyro

    from .analysis.command import settings_class
    from .train.command import configurations

    name = tyro.conf.Positional[Literal[*configurations()]]  # type: ignore[misc, valid-type]
    train = dataclasses.make_dataclass("Train", [("name", name)])
    programs: Any = (
        Annotated[settings_class([]), tyro.conf.subcommand("analysis")]
        | Annotated[train, tyro.conf.subcommand("train")]
    )
    tyro.cli(programs, prog="jaxunits", args=arguments)


if __name__ == "__main__":
    main()
