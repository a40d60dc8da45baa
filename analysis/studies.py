"""One call from a network and images to measurements, figures and a report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console

import jaxunits as ju

from ..train.console import plain_console
from .drawing import all_drawn
from .experiment import Experiment, chosen, config
from .explorer import write_explorer
from .inputs import as_classifier, as_dataset
from .measure import measure
from .measurement import Results
from .report import write_report
from .runs import Run, Runs
from .section import Section
from .settings import Settings, with_options
from .subject import Subject

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Study(Mapping[str, Section]):
    """What a study found: its sections by experiment.

    Attributes:
      sections: what each experiment says, with `figure`, `figures` and `tables`.
      report: the page.
      explorer: the page of all units; None where nothing was measured of single units.
      runs: the networks with what was measured of them.
    """

    sections: Mapping[str, Section]
    report: Path
    explorer: Path | None
    runs: Runs

    def __getitem__(self, name: str) -> Section:
        if name not in self.sections:
            raise ju.unknown_name("experiment", name, self.sections, "this study")
        return self.sections[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.sections)

    def __len__(self) -> int:
        return len(self.sections)

    def measured(self, name: str) -> Mapping[str, xr.Dataset]:
        """A measurement by layer, such as the sweeps of `ablation`."""
        results = self.runs.every[0].results
        if name not in results:
            raise ju.unknown_name("measurement", name, results, "this study")
        return results[name]


def study(
    network: Any,
    data: Any,
    folder: str | Path,
    experiments: str | Experiment | Sequence[str | Experiment] = (),
    layers: Sequence[str] = (),
    *,
    train_data: Any = None,
    preprocessing: ju.data.Preprocessing | None = None,
    options: Mapping[str, Any] | None = None,
    values: Literal["zero", "mean", "resample"] = "zero",
    method: Literal["auto", "fast", "reference"] = "auto",
    precision: Literal["float32", "bfloat16", "checked"] = "float32",
    batch_size: int | None = None,
    max_memory: int | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> Study:
    """Measure what the units of a network do, draw it and write a report.

    What the folder holds already is not measured again; a call that was stopped goes on.

    Args:
      network: a `ju.networks.Classifier`, a Flax NNX or PyTorch module, or a pair of a Linen module
        and its variables or of a function and its parameters.
      data: the images to measure on: a `ju.data.Dataset`, or what `ju.data.load` takes.
      folder: the run folder, which is made where it is missing.
      experiments: names of experiments, or `paper_a`, `paper_b`, `paper_c` for all of a paper's, or
        an `Experiment` of your own; by default those that take little longer than the sweeps.
      layers: which layers; all by default.
      train_data: the images that the network was trained on, for experiments that need them.
      preprocessing: what a module expects of images; a `Classifier` knows.
      options: options of measurements and experiments by whole names, such as
        `{"greedy.steps": 8}`.
      values: what an ablated unit gives.
      method: how ablations are computed.
      precision: of the sweeps.
      batch_size: images per batch and device.
      max_memory: bytes that a device may hold.
      overwrite: measure again what is asked for.
      progress: whether to tell of progress.

    Returns:
      The sections by experiment, the measurements and the report's path.

    Raises:
      InputError: something cannot be used: the folder is of another network, there is no such
        experiment, layer or option, or an experiment needs training images and none are given. All
        of this before anything is measured.
    """
    given = [experiments] if isinstance(experiments, str | Experiment) else experiments
    wanted = chosen(given, 1)
    images = as_dataset(data)
    settings = config(tuple(each for each in given if isinstance(each, Experiment)))(
        run=Path(folder),
        experiments=tuple(each.name for each in wanted),
        layers=(layers,) if isinstance(layers, str) else tuple(layers),
        split=images.split,
        values=values,
        method=method,
        precision=precision,
        batch_size=batch_size,
        max_memory=max_memory,
        overwrite=overwrite,
    )
    settings = with_options(settings, options or {})
    training = None if train_data is None else as_dataset(train_data)
    subject = Subject(
        config=settings,
        folder=ju.results.RunFolder(Path(folder)),
        network=as_classifier(network, preprocessing),
        data=images,
        console=plain_console() if progress else Console(quiet=True),
        load_training=None if training is None else lambda: training,
    )
    path = settings.run
    return drawn([named(path, path, measure(subject, wanted))], settings, wanted)


def named(path: Path, study: Path, results: Results) -> Run:
    """A measured network, called as its folder and the one above it in a study's."""
    configuration = path.name if path == study else path.parent.name
    return Run(configuration, path.name, results, path)


def drawn(runs: Sequence[Run], config: Settings, wanted: Sequence[Experiment]) -> Study:
    """Figures, tables and the report of some networks."""
    every = Runs(list(runs), config)
    found = all_drawn(lambda each: each.draw(every), wanted)
    sections = {each.name: section for each, section in zip(wanted, found, strict=True)}
    papers = [each.paper for each in wanted]
    folder = config.output or config.run
    explorer = write_explorer(folder, every)
    report = write_report(folder, sections, every, papers=papers, explorer=explorer)
    return Study(sections, report, explorer, every)
