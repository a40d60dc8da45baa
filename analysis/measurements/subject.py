"""What is measured: a trained network, its images, and the folder that keeps the results."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import xarray as xr
from rich.console import Console

import jaxunits as ju

from ..config import Config
from .files import Files

Found = Mapping[str, Mapping[str, xr.Dataset]]


@dataclass(frozen=True)
class Subject:
    """A network of a run folder and the images that it is measured on.

    Attributes:
      config: how; split and epoch are named.
      folder: the run folder.
      network: the network.
      data: the images.
      console: where to tell of progress.
    """

    config: Config
    folder: ju.results.RunFolder
    network: ju.networks.Classifier
    data: ju.data.Dataset
    console: Console

    @property
    def files(self) -> Files:
        """Its measurements."""
        return Files(self.folder.measurements)

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that were asked for; all by default."""
        return self.config.layers or tuple(self.network.layers)

    @property
    def last_maps(self) -> tuple[str, ...]:
        """The last layer whose units have maps, or the last of all."""
        layers = self.network.layers.values()
        mapped = [layer.name for layer in layers if len(layer.map_shape or ()) == 2]
        return ((mapped or list(self.network.layers))[-1],)

    def layer_settings(self, layer: str) -> dict[str, str]:
        """What every measurement of a layer depends on, its images apart."""
        return {
            "network": self.network.name,
            "parameters": self.network.fingerprint,
            "preprocessing": str(self.network.preprocessing),
            "layer": layer,
            "unit_is": self.network.layers[layer].unit_is,
            "layer_number": str(list(self.network.layers).index(layer)),
        }

    def sweep_settings(self, layer: str) -> dict[str, str]:
        """Everything that ablations of a layer depend on."""
        settings = ju.ablation.sweep_settings(
            self.network, layer, self.data, values=self.config.values
        )
        return {**settings, "precision": self.config.precision}

    def options(self) -> ju.ablation.Options:
        """How sweeps are carried out."""
        return {
            "method": self.config.method,
            "precision": self.config.precision,
            "batch_size": self.config.batch_size,
            "max_memory": self.config.max_memory,
        }


def load_subject(config: Config, console: Console) -> Subject:
    """The subject of a run folder.

    Raises:
      InputError: the run folder, network or images cannot be used.
    """
    folder = ju.results.RunFolder(config.run)
    network = ju.networks.restore(config.run, epoch=config.epoch)
    metrics = ju.networks.saved_metrics(config.run, epoch=config.epoch)
    config = dataclasses.replace(
        with_split(config), epoch=int(metrics[-1]["epoch"]) if metrics else 0
    )
    settings = folder.read_configuration()["data"]
    data = ju.data.load(
        settings["source"],
        config.split,
        data_dir=settings["data_dir"],
        on_corrupt=settings["on_corrupt"],
    )
    return Subject(config, folder, network, data, console)


def with_split(config: Config) -> Config:
    """With the run's validation split, where no other was asked for.

    Raises:
      InputError: this is no run folder.
    """
    settings = ju.results.RunFolder(config.run).read_configuration()["data"]
    return dataclasses.replace(config, split=config.split or settings["validation_split"])
