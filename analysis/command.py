"""The command line: `jaxunits analysis RUN [experiments] [options]`."""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.table import Table as Screen

import jaxunits as ju

from ..train.console import run_program
from .experiment import Experiment, chosen, config, measurements_of
from .inputs import Source, network_fields
from .measure import measure
from .report import summary, title_of
from .runs import Run, Runs, folders, read_measurements
from .settings import Settings
from .studies import drawn, named
from .subject import Subject, subject_of_run


def main(arguments: list[str] | None = None, prog: str = "jaxunits analysis") -> int:
    """Run the command line; returns the exit status."""
    return run_program(lambda given, console: _analyze(given, console, prog), arguments)


def settings_class(arguments: list[str]) -> type[Settings]:
    """The settings of the command line, with the arguments of the network that it names."""
    source = Annotated[Source, tyro.conf.arg(name="")]
    return dataclasses.make_dataclass(
        "Config",
        [("source", source, dataclasses.field(default_factory=Source)), *network_fields(arguments)],
        bases=(config(),),
        frozen=True,
        namespace={"__doc__": Settings.__doc__},
    )


def _analyze(arguments: list[str], console: Console, prog: str) -> None:
    # Figures are of many small objects, and every 700 new ones would be looked through for garbage.
    gc.set_threshold(50_000)
    settings: Any = tyro.cli(settings_class(arguments), prog=prog, args=arguments)
    if settings.distributed:
        ju.join_cluster()
    paths = folders(settings.run)
    wanted = chosen(settings.experiments, len(paths))
    if settings.measure or settings.plan:
        ju.use_compilation_cache()
    if settings.plan:
        from .plan import print_plans

        for path in paths:
            print_plans(_subject(settings, path, console), wanted)
        return
    runs = [_run(settings, path, wanted, console) for path in paths]
    if settings.distributed:
        import jax

        if jax.process_index() > 0:
            return
    study = drawn(runs, settings, wanted)
    _print_summary(console, study.runs)
    console.print(f"report: {study.report}")
    if study.explorer is not None:
        console.print(f"every unit: {study.explorer}")


def _run(settings: Any, path: Path, wanted: Sequence[Experiment], console: Console) -> Run:
    """Measure a network, or read what was measured."""
    if path != settings.run:
        console.print(f"{path.parent.name}, {path.name}")
    if settings.measure:
        return named(path, settings.run, measure(_subject(settings, path, console), wanted))
    needed = [(each, experiment.name) for each, experiment in measurements_of(wanted)]
    own = dataclasses.replace(settings, run=path)
    return named(path, settings.run, read_measurements(own, needed))


def _subject(settings: Any, path: Path, console: Console) -> Subject:
    """A network of a run folder, or the one that the command line names."""
    own, source = dataclasses.replace(settings, run=path), settings.source
    folder = ju.results.RunFolder(path)
    if source.network is None:
        if source != Source():
            raise ju.InputError(
                "options of a network from elsewhere (--data, --weights and the like) without "
                f"--network: name it, or leave them out, since run folder {path} says what it is of"
            )
        return subject_of_run(own, console)
    arguments = vars(settings.arguments) if hasattr(settings, "arguments") else {}
    if folder.checkpoints.is_dir():
        if folder.architecture.exists():
            raise ju.InputError(
                f"run folder {path} has its own network: leave --network out, or give another "
                "folder"
            )
        if source.data is not None or source.reading != Source().reading:
            raise ju.InputError(f"run folder {path} has its own images: leave --data out")
        images = ju.data.load_run_data(folder.read_configuration()["data"])
        classes = len(images.class_names)
        return subject_of_run(own, console, source.build(arguments, classes))
    data = source.images(settings.split)
    training = source.training_images()
    return Subject(
        config=dataclasses.replace(own, split=settings.split or data.split),
        folder=folder,
        network=source.build(arguments, len(data.class_names)),
        data=data,
        console=console,
        load_training=None if training is None else lambda: training,
    )


def _print_summary(console: Console, runs: Runs) -> None:
    table = summary(runs)
    if table is None:
        return
    title = title_of(runs)
    screen = Screen(title=f"{title}; {table.caption[0].lower()}{table.caption[1:]}")
    for number, column in enumerate(table.columns):
        screen.add_column(column, justify="left" if number == 0 else "right", no_wrap=number == 0)
    for row in table.rows:
        screen.add_row(*row)
    console.print(screen)
