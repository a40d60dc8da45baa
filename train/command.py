"""The command line: `jaxunits train NAME [options]`."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import jax
import tyro
from rich.console import Console

import jaxunits as ju

from .. import configs
from .config import Config
from .console import run_program
from .loop import train
from .progress import Progress
from .study import Study, StudyOptions, chosen_configs, print_results, train_study
from .user_file import load_file

Named = tuple[str, Config | Study]


def configurations() -> dict[str, Named]:
    """Every configuration and study of `configs/` by name, with its first line as description."""
    modules = {
        item.name: importlib.import_module(f"{configs.__name__}.{item.name}")
        for item in pkgutil.iter_modules(configs.__path__)
    }
    found = {name: _of_module(name, module) for name, module in modules.items()}
    return {name: each for name, each in found.items() if each is not None}


def _of_module(name: str, module: ModuleType) -> Named | None:
    """The configuration or study of a module, with its description."""
    value = getattr(module, "study", None) or getattr(module, "config", None)
    if not isinstance(value, Config | Study):
        return None
    return (module.__doc__ or name).strip().splitlines()[0], value


def _of_file(path: Path) -> Named:
    """The configuration or study of a user's file.

    Raises:
      InputError: there is no such file, or it has none.
    """
    found = _of_module(path.stem, load_file(path))
    if found is None:
        raise ju.InputError(
            f"{path} has neither `config`, a jaxunits.train.config.Config, nor `study`, a "
            "jaxunits.train.study.Study"
        )
    return found


def main(arguments: list[str] | None = None, prog: str = "jaxunits train") -> int:
    """Run the command line; returns the exit status."""
    return run_program(lambda given, console: _run(given, console, prog), arguments)


def _run(arguments: list[str], console: Console, prog: str) -> None:
    ju.use_compilation_cache()
    known = configurations()
    name = arguments[0] if arguments and not arguments[0].startswith("-") else None
    if name and name.endswith(".py"):
        own = _of_file(Path(name))
        name = Path(name).stem
        known = {name: own}
        arguments = [name, *arguments[1:]]
    if name and name not in known:
        raise ju.unknown_name("configuration", name, known, "jaxunits.configs")
    if name and isinstance(known[name][1], Study):
        _run_study(name, *known[name], arguments[1:], console, prog)
    else:
        _run_config(known, arguments, console, prog)


def _run_config(
    known: Mapping[str, Named], arguments: list[str], console: Console, prog: str
) -> None:
    studies = [name for name, (_, value) in known.items() if isinstance(value, Study)]
    single: Any = {
        name: (text, _typed(value))
        for name, (text, value) in known.items()
        if isinstance(value, Config)
    }
    if arguments and arguments[0] in single:
        description, default = single[arguments[0]]
        config: Config = tyro.cli(
            type(default),
            prog=f"{prog} {arguments[0]}",
            description=description,
            default=default,
            args=arguments[1:],
            config=(tyro.conf.AvoidSubcommands,),
        )
    else:
        config = tyro.extras.overridable_config_cli(
            single,
            prog=prog,
            description="Train a network. A run that was stopped resumes where it was. Studies, "
            f"which train several, have their own --help: {', '.join(studies)}. The path of a "
            "Python file with your own `config` or `study` can replace the name.",
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


def _typed(config: Config) -> Config:
    """A configuration whose class has the type of its network, for its options."""
    made = dataclasses.make_dataclass(
        "Config",
        [("network", Annotated[type(config.network), tyro.conf.arg(help="The network.")])],
        bases=(Config,),
        frozen=True,
        kw_only=True,
        namespace={"__doc__": Config.__doc__},
    )
    return made(**vars(config))


def _run_study(
    name: str,
    description: str,
    study: Any,
    arguments: list[str],
    console: Console,
    prog: str,
) -> None:
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    options = tyro.cli(
        StudyOptions,
        prog=f"{prog} {name}",
        description=f"{description} Its configurations: {', '.join(study.configs)}. What follows "
        "-- changes a setting of every configuration.",
        args=arguments[:cut],
    )
    chosen = {
        each: tyro.cli(
            type(_typed(config)),
            prog=f"{prog} {name} --",
            default=_typed(config),
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
