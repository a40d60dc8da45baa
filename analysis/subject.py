"""What is measured: a network, its images, and the folder that keeps the results."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

import jaxunits as ju

from .files import Files
from .settings import Settings


@dataclass(frozen=True, eq=False)
class Subject:
    """A network, the images that it is measured on, and its run folder.

    Attributes:
      config: how; split and epoch are named.
      folder: the run folder.
      network: the network.
      data: the images.
      console: where to tell of progress.
      load_training: loads the images that the network was trained on; None where nobody named them.
      trained: whether the folder has checkpoints of the network's training.
    """

    config: Settings
    folder: ju.results.RunFolder
    network: ju.networks.Classifier
    data: ju.data.Dataset
    console: Console
    load_training: Callable[[], ju.data.Dataset] | None = None
    trained: bool = False

    @functools.cached_property
    def training_images(self) -> ju.data.Dataset:
        """The images that the network was trained on.

        Raises:
          InputError: they cannot be loaded, or nobody named them.
        """
        if self.load_training is None:
            raise ju.InputError("no training images are given: give train_data")
        return self.load_training()

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
        mapped = [layer.name for layer in layers if layer.has_maps]
        return ((mapped or list(self.network.layers))[-1],)

    def units(self, layer: str) -> int:
        """How many units a layer has."""
        return self.network.layer(layer).num_units

    def refuse_without_maps(self, layers: Sequence[str], why: str, option: str) -> None:
        """Refuse layers whose maps do not lie over the image, such as those that give tokens.

        Args:
          layers: their names.
          why: what maps are needed for.
          option: the one that names layers.

        Raises:
          InputError: there is such a layer.
        """
        for name in layers:
            place = self.network.layer(name)
            if place.map_shape and not place.has_maps:
                raise ju.InputError(
                    f"layer {name!r} has no maps of rows and columns{why}: name layers that have "
                    f"({option}, --{option}), or leave the experiment out"
                )

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

    def claim(self) -> None:
        """Make the folder that of this network; a run of the training program has its own already.

        Raises:
          InputError: it is of another network.
        """
        if self.trained:
            return
        place = self.folder.configuration
        if place.exists() and not is_study(self.folder.read_configuration()):
            raise ju.InputError(
                f"run folder {self.folder.path} is of the training program, and has a network of "
                "its own: give another folder"
            )
        network = {
            "name": self.network.name,
            "parameters": self.network.fingerprint,
            "preprocessing": str(self.network.preprocessing),
        }
        data = {"source": self.data.name, "validation_split": self.config.split}
        # Other images are measured beside the first ones.
        self.folder.claim({"network": network, "data": data}, may_differ=("data",))


def subject_of_run(
    config: Settings, console: Console, network: ju.networks.Classifier | None = None
) -> Subject:
    """The subject of a run of the training program.

    Args:
      config: what was asked for.
      console: where to tell of progress.
      network: one of the same architecture, for a run of a network that no folder describes.

    Raises:
      InputError: the run folder, network or images cannot be used.
    """
    folder = ju.results.RunFolder(config.run)
    configuration = folder.read_configuration()
    if is_study(configuration):
        raise ju.InputError(
            f"run folder {folder.path} is of a network from elsewhere "
            f"({configuration['network']['name']!r}), which it does not hold: name network and "
            "images (--network, --data), or draw what was measured (--no-measure)"
        )
    network = ju.networks.restore(config.run, network, epoch=config.epoch)
    metrics = ju.networks.saved_metrics(config.run, epoch=config.epoch)
    epoch = int(metrics[-1]["epoch"]) if metrics else 0
    settings = json.dumps(configuration["data"])
    return Subject(
        config=dataclasses.replace(with_split(config), epoch=epoch),
        folder=folder,
        network=network,
        data=_run_data(settings, config.split, training=False),
        console=console,
        load_training=functools.partial(_run_data, settings, None, training=True),
        trained=True,
    )


def present_classes(data: ju.data.Dataset) -> tuple[str, ...]:
    """The classes that have images."""
    present = set(data.labels.tolist())
    return tuple(name for label, name in enumerate(data.class_names) if label in present)


# One set of images for all networks of a study.
@functools.lru_cache(maxsize=2)
def _run_data(settings: str, split: str | None, *, training: bool) -> ju.data.Dataset:
    return ju.data.load_run_data(json.loads(settings), split, training=training)


def is_study(configuration: dict[str, Any]) -> bool:
    """Whether a folder is of a network that the training program did not train."""
    return "optimizer" not in configuration


def with_split(config: Settings) -> Settings:
    """With the run's validation split, where no other was asked for.

    Raises:
      InputError: this is no run folder.
    """
    settings = ju.results.RunFolder(config.run).read_configuration()["data"]
    return dataclasses.replace(config, split=config.split or settings["validation_split"])
