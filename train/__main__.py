"""`python -m train NAME [overrides]`."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

import tyro
from rich.console import Console

import configs
import jaxunits as ju

from .config import Config
from .loop import train
from .progress import Progress


def configurations() -> dict[str, tuple[str, Config]]:
    """Every configuration of `configs/` by name, with its first line as description."""
    modules = {
        item.name: importlib.import_module(f"configs.{item.name}")
        for item in pkgutil.iter_modules(configs.__path__)
    }
    return {
        name: ((module.__doc__ or name).strip().splitlines()[0], module.config)
        for name, module in modules.items()
        if isinstance(getattr(module, "config", None), Config)
    }


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    console = Console(soft_wrap=True)
    try:
        name, config = _chosen(sys.argv[1:] if arguments is None else arguments)
        path = config.run_folder or Path("runs") / name
        with Progress(console) as progress:
            metrics = train(config, path, progress)
    except (ju.InputError, OSError) as error:
        Console(stderr=True, soft_wrap=True).print(f"error: {error}", style="red", markup=False)
        return 2
    except KeyboardInterrupt:
        console.print("stopped: the same command goes on from here")
        return 130
    console.print(
        f"{path}: validation accuracy {metrics[-1].validation_accuracy:.2%} after "
        f"{metrics[-1].epoch} epochs, {sum(epoch.seconds for epoch in metrics):.0f} s",
        highlight=False,
    )
    return 0


def _chosen(arguments: list[str]) -> tuple[str, Config]:
    """The configuration that the command line names, with its overrides."""
    known = configurations()
    if arguments and not arguments[0].startswith("-") and arguments[0] not in known:
        raise ju.unknown_name("configuration", arguments[0], known, "configs/")
    config = tyro.extras.overridable_config_cli(
        known,
        prog="python -m train",
        description="Train a network. A run that was stopped goes on where it was.",
        args=arguments,
        config=(tyro.conf.AvoidSubcommands,),
    )
    return arguments[0], config


if __name__ == "__main__":
    ju.use_compilation_cache()
    sys.exit(main())
