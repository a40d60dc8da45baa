"""The heavy half: from a network and images to files in the run folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import xarray as xr
from rich.console import Console

import jaxunits as ju

from .config import Config
from .pictures import draw_panels, panel_settings
from .progress import image_bar


@dataclass(frozen=True)
class Measurements:
    """What the experiments read, by layer in the network's order.

    Attributes:
      sweeps: results of `ju.ablation.sweep`, every unit alone.
      panels: pictures of the most damaging units; empty if no experiment asked for them.
    """

    sweeps: Mapping[str, xr.Dataset]
    panels: Mapping[str, xr.Dataset]


def read_measurements(config: Config) -> Measurements:
    """What the run folder holds, as it is; neither network nor images are needed.

    Raises:
      InputError: a file is damaged, or a layer was not measured.
    """
    folder = ju.results.RunFolder(config.run)
    folder.read_configuration()
    files = folder.measurements.glob(f"ablation_*_{config.values}.nc")
    found = sorted(map(ju.results.read, files), key=lambda result: int(result.layer_number))
    sweeps = {str(result.layer): result for result in found}
    if not sweeps:
        raise ju.InputError(f"{folder.measurements} holds no measurements: leave out --no-measure")
    for layer in config.layers:
        if layer not in sweeps:
            raise ju.unknown_name("layer", layer, sweeps, str(folder.measurements))
    kept = [layer for layer in sweeps if not config.layers or layer in config.layers]
    panels = {layer: _path(config, "panels", layer) for layer in kept if _wants_panels(config)}
    return Measurements(
        {layer: sweeps[layer] for layer in kept},
        {layer: ju.results.read(path) for layer, path in panels.items() if path.exists()},
    )


def measure(config: Config, console: Console) -> Measurements:
    """Measure what the run folder lacks; what it holds already is not measured again.

    Raises:
      InputError: the run folder, network or images cannot be used, or the folder holds a
        measurement with other settings.
    """
    folder = ju.results.RunFolder(config.run)
    network = ju.networks.functional(ju.networks.restore(config.run, epoch=config.epoch))
    data = _load(config, folder)
    layers = config.layers or tuple(network.layers)
    with folder.in_use():
        sweep_settings = {
            layer: ju.ablation.sweep_settings(network, layer, data, values=config.values)
            for layer in layers
        }
        pictured = layers if _wants_panels(config) else ()
        picture_settings = {
            layer: panel_settings(config.panels, sweep_settings[layer]) for layer in pictured
        }
        # All of them are compared with the folder's before the first is measured.
        sweeps = _reusable(config, "ablation", sweep_settings)
        panels = _reusable(config, "panels", picture_settings)
        for layer in layers:
            if layer not in sweeps:
                sweeps[layer] = _sweep(config, network, layer, data, console)
                ju.results.write(sweeps[layer], _path(config, "ablation", layer))
        for layer in pictured:
            if layer not in panels:
                with image_bar(console, f"images of {layer}") as progress:
                    panels[layer] = draw_panels(
                        config.panels, network, data, sweeps[layer], progress
                    ).assign_attrs(picture_settings[layer])
                ju.results.write(panels[layer], _path(config, "panels", layer))
    return Measurements(
        {layer: sweeps[layer] for layer in layers}, {layer: panels[layer] for layer in pictured}
    )


def _wants_panels(config: Config) -> bool:
    return "unit_panels" in config.experiments


def _load(config: Config, folder: ju.results.RunFolder) -> ju.data.Dataset:
    settings = folder.read_configuration()["data"]
    return ju.data.load(
        settings["source"],
        config.split or settings["validation_split"],
        data_dir=settings["data_dir"],
        on_corrupt=settings["on_corrupt"],
    )


def _path(config: Config, kind: str, layer: str) -> Path:
    folder = ju.results.RunFolder(config.run).measurements
    return folder / f"{kind}_{layer}_{config.values}.nc"


def _reusable(
    config: Config, kind: str, settings: Mapping[str, Mapping[str, str]]
) -> dict[str, xr.Dataset]:
    """The measurements that are there, by layer, if they were made with these settings.

    Raises:
      InputError: one was made with others or is damaged, and nobody said to overwrite it.
    """
    found = {}
    for layer, wanted in settings.items():
        path = _path(config, kind, layer)
        if not path.exists():
            continue
        try:
            result = ju.results.read(path)
            ju.results.raise_if_different(
                {key: result.attrs.get(key) for key in wanted},
                wanted,
                place=f"measurement {path}",
                way_out="Give the same settings, or measure again with --overwrite",
            )
        except ju.InputError:
            if not config.overwrite:
                raise
        else:
            found[layer] = result
    return found


def _sweep(
    config: Config,
    network: ju.networks.Functional,
    layer: str,
    data: ju.data.Dataset,
    console: Console,
) -> xr.Dataset:
    with image_bar(console, f"ablating {layer}") as progress:
        result = ju.ablation.sweep(
            network,
            layer,
            data,
            values=config.values,
            batch_size=config.batch_size,
            max_memory=config.max_memory,
            progress=progress,
        )
    return result.assign_attrs(layer_number=list(network.layers).index(layer))
