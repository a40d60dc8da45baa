"""The measured networks that experiments compare, as the folders hold them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import xarray as xr

import jaxunits as ju

from .files import Files
from .measurement import Measurement, Results
from .settings import Settings
from .subject import with_split


@dataclass(frozen=True)
class Run:
    """A network and what was measured of it.

    Attributes:
      configuration: what it is called; networks that differ only in their seeds share it.
      seed: the folder's name, which tells its seed in a study.
      results: what was measured, by name of the measurement and by layer in the network's order.
      folder: the run folder.
    """

    configuration: str
    seed: str
    results: Results
    folder: Path = field(default_factory=Path)

    @property
    def name(self) -> str:
        """Configuration and seed."""
        return f"{self.configuration}/{self.seed}"

    @property
    def sweeps(self) -> Mapping[str, xr.Dataset]:
        """Every unit alone, by layer; nothing where that was not measured."""
        return self.results.get("ablation", {})

    def kind(self, name: str) -> Mapping[str, xr.Dataset]:
        """A measurement, by layer."""
        return self.results[name]


@dataclass(frozen=True)
class Panel:
    """A layer of a configuration, as it stands in figures and tables.

    Attributes:
      configuration: what the networks are called.
      layer: the layer.
      runs: those of the networks that the layer was measured of.
      results: what was measured of each.
      title: the layer's name, with the configuration's where several networks are shown.
    """

    configuration: str
    layer: str
    runs: Sequence[Run]
    results: Sequence[xr.Dataset]
    title: str

    @property
    def head(self) -> dict[str, str]:
        """How a table's row of it begins."""
        return {"network": self.configuration, "layer": self.layer}

    def head_of(self, run: Run) -> dict[str, str]:
        """How a table's row of one of its networks begins."""
        return {"network": self.configuration, "seed": run.seed, "layer": self.layer}

    @property
    def each(self) -> Iterator[tuple[Run, xr.Dataset]]:
        """The networks with what was measured of them."""
        return zip(self.runs, self.results, strict=True)


@dataclass(frozen=True)
class Runs:
    """All networks of a report.

    Attributes:
      every: the networks.
      config: what was asked for.
    """

    every: Sequence[Run]
    config: Settings

    @property
    def several(self) -> bool:
        """Whether there are several."""
        return len(self.every) > 1

    @property
    def configurations(self) -> dict[str, list[Run]]:
        """The networks by configuration."""
        found: dict[str, list[Run]] = {}
        for run in self.every:
            found.setdefault(run.configuration, []).append(run)
        return found

    def layers(self, kind: str) -> list[str]:
        """Every layer that a kind was measured of in some network."""
        return list(dict.fromkeys(layer for run in self.every for layer in run.kind(kind)))

    def panels(self, kind: str) -> list[Panel]:
        """Each configuration and layer that a kind was measured of."""
        found = []
        for name, members in self.configurations.items():
            for layer in self.layers(kind):
                measured = [run for run in members if layer in run.kind(kind)]
                if measured:
                    title = f"{name}, {layer}" if self.several else layer
                    results = [run.kind(kind)[layer] for run in measured]
                    found.append(Panel(name, layer, measured, results, title))
        return found


def folders(path: Path) -> list[Path]:
    """The run folders of a study's folder, in order; the folder itself where it is one."""
    if (path / "configuration.json").exists():
        return [path]
    found = sorted(each.parent for each in path.glob("*/seed*/configuration.json"))
    return found or [path]


def read_measurements(config: Settings, wanted: Iterable[tuple[Measurement, str]]) -> Results:
    """What the run folder holds of what is asked for; neither network nor images are needed.

    Args:
      config: what was asked for.
      wanted: measurements, each with the name of what needs it.

    Raises:
      InputError: a file is damaged, or a measurement is missing or ambiguous.
    """
    config = with_split(config)
    files = Files(ju.results.RunFolder(config.run).measurements)
    if config.output is None:
        files.write_index()
    found = {each.name: files.find(each.asked(config), for_whom=whom) for each, whom in wanted}
    _refuse_several_networks(found, files.folder)
    layers = dict.fromkeys(layer for of in found.values() for layer in of)
    for layer in config.layers:
        if layer not in layers:
            raise ju.unknown_name("layer", layer, layers, str(files.folder))
    return {
        name: {layer: of[layer] for layer in of if layer in (config.layers or of)}
        for name, of in found.items()
    }


def _refuse_several_networks(results: Results, folder: Path) -> None:
    """Refuse measurements that belong to different parameters.

    Raises:
      InputError: they do.
    """
    of: dict[str, list[str]] = {}
    for name, by_layer in results.items():
        for layer, result in by_layer.items():
            epoch = f"epoch {result.attrs['epoch']}, " if "epoch" in result.attrs else ""
            network = f"{epoch}parameters {result.attrs['parameters'][:12]}"
            of.setdefault(network, []).append(f"{name} of {layer}")
    if len(of) > 1:
        listed = "; ".join(f"{network}: {', '.join(names)}" for network, names in of.items())
        raise ju.InputError(
            f"the measurements in {folder} are of {len(of)} networks ({listed}): name one with "
            "--epoch, or leave out --no-measure to measure what it lacks"
        )
