"""`python -m train NAME [overrides]`."""

from __future__ import annotations

from .start import STOPPED, STOPPED_STATUS, end_program, start_program, stoppable

if __name__ == "__main__":
    start_program()

import importlib
import pkgutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import tyro
from rich.console import Console

import configs
import jaxunits as ju

from .config import Config
from .console import plain_console
from .loop import train
from .progress import Progress
from .study import Study, StudyOptions, chosen_configs, print_results, train_study


def configurations() -> dict[str, tuple[str, Config | Study]]:
    """Every configuration and study of `configs/` by name, with its first line as description."""
    modules = {
        item.name: importlib.import_module(f"configs.{item.name}")
        for item in pkgutil.iter_modules(configs.__path__)
    }
    found = {name: getattr(module, "config", None) for name, module in modules.items()}
    found |= {name: module.study for name, module in modules.items() if hasattr(module, "study")}
    return {
        name: ((modules[name].__doc__ or name).strip().splitlines()[0], value)
        for name, value in found.items()
        if isinstance(value, Config | Study)
    }


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    console = plain_console()
    try:
        with stoppable():
            _run(sys.argv[1:] if arguments is None else arguments, console)
    except (ju.InputError, OSError) as error:
        plain_console(stderr=True).print(f"error: {error}", style="red")
        return 2
    except KeyboardInterrupt:
        console.print(STOPPED)
        return STOPPED_STATUS
    return 0


def _run(arguments: list[str], console: Console) -> None:
    known = configurations()
    if arguments and not arguments[0].startswith("-") and arguments[0] not in known:
        raise ju.unknown_name("configuration", arguments[0], known, "configs/")
    single = {name: item for name, item in known.items() if isinstance(item[1], Config)}
    studies = {name: item for name, item in known.items() if isinstance(item[1], Study)}
    if arguments and arguments[0] in studies:
        _run_study(arguments[0], *studies[arguments[0]], arguments[1:], console)
    else:
        _run_config(single, list(studies), arguments, console)


def _run_config(
    known: Mapping[str, tuple[str, Any]],
    studies: Sequence[str],
    arguments: list[str],
    console: Console,
) -> None:
    config: Config = tyro.extras.overridable_config_cli(
        known,
        prog="python -m train",
        description="Train a network. A run that was stopped goes on where it was. Studies, which "
        f"train several, have their own --help: {', '.join(studies)}.",
        args=arguments,
        config=(tyro.conf.AvoidSubcommands,),
    )
    path = config.run_folder or Path("runs") / arguments[0]
    with Progress(_joined(config.distributed, console)) as progress:
        metrics = train(config, path, progress)
    _joined(False, console).print(
        f"{path}: validation accuracy {metrics[-1].validation_accuracy:.2%} after "
        f"{metrics[-1].epoch} epochs, {sum(epoch.seconds for epoch in metrics):.0f} s",
    )


def _run_study(
    name: str, description: str, study: Any, arguments: list[str], console: Console
) -> None:
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    options = tyro.cli(
        StudyOptions,
        prog=f"python -m train {name}",
        description=f"{description} Its configurations: {', '.join(study.configs)}. What follows "
        "-- changes a setting of every configuration.",
        args=arguments[:cut],
    )
    chosen = {
        each: tyro.cli(
            Config,
            prog=f"python -m train {name} --",
            default=config,
            args=arguments[cut + 1 :],
            config=(tyro.conf.AvoidSubcommands,),
        )
        for each, config in chosen_configs(study, options.only).items()
    }
    with Progress(_joined(options.distributed, console)) as progress:
        results = train_study(
            chosen,
            options.seeds or study.seeds,
            options.run_folder or Path("runs") / name,
            options.together,
            progress,
            options.side_by_side,
        )
        print_results(results, progress.console)


def _joined(distributed: bool, console: Console) -> Console:
    """The console of the first process; the others are silent."""
    if distributed:
        ju.join_cluster()
    return console if jax.process_index() == 0 else Console(quiet=True)


if __name__ == "__main__":
    ju.use_compilation_cache()
    end_program(main())
