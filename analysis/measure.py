"""The heavy half: from a network and images to files in the run folder."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import jax
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
    files = folder.measurements.glob(_name(config, "ablation", "*"))
    found = sorted(map(ju.ablation.read_result, files), key=lambda result: int(result.layer_number))
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
    # Only one process of a job holds the folder, and only that one draws.
    with folder.in_use() if jax.process_index() == 0 else contextlib.nullcontext():
        sweep_settings = {
            layer: {
                **ju.ablation.sweep_settings(network, layer, data, values=config.values),
                "precision": config.precision,
            }
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
        for layer in pictured:
            if layer not in panels and jax.process_index() == 0:
                with image_bar(console, f"images of {layer}") as progress:
                    panels[layer] = draw_panels(
                        config.panels, network, data, sweeps[layer], progress
                    ).assign_attrs(picture_settings[layer])
                ju.results.write(panels[layer], _path(config, "panels", layer))
    return Measurements(
        {layer: sweeps[layer] for layer in layers},
        {layer: panels[layer] for layer in pictured if layer in panels},
    )


def print_plans(config: Config, console: Console) -> None:
    """What the sweeps that the run folder lacks will cost.

    Raises:
      InputError: the run folder, network or images cannot be used.
    """
    network = ju.networks.functional(ju.networks.restore(config.run, epoch=config.epoch))
    data = _load(config, ju.results.RunFolder(config.run))
    for layer in config.layers or tuple(network.layers):
        done = _path(config, "ablation", layer).exists() and not config.overwrite
        plan = ju.ablation.plan(network, layer, len(data), **_options(config))
        console.print(f"{plan}\n{'measured already' if done else ''}", highlight=False)


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
    return ju.results.RunFolder(config.run).measurements / _name(config, kind, layer)


def _name(config: Config, kind: str, layer: str) -> str:
    """The file of a measurement; the run's own validation split is not named."""
    split = "" if config.split is None else re.sub(r"[^A-Za-z0-9]+", "-", f"_{config.split}")
    return f"{kind}_{layer}_{config.values}{split.replace('-', '_', 1).rstrip('-')}.nc"


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
            result = ju.ablation.read_result(path)
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
    path = _path(config, "ablation", layer)
    if config.overwrite:
        path.unlink(missing_ok=True)
        shutil.rmtree(path.with_suffix(".pieces"), ignore_errors=True)
    units = network.layer(layer).units
    with image_bar(console, f"ablating {layer}, {units} units") as progress:
        return ju.ablation.sweep(
            network,
            layer,
            data,
            values=config.values,
            file=path,
            progress=progress,
            **_options(config),
        )


def _options(config: Config) -> ju.ablation.Options:
    return {
        "path": config.path,
        "precision": config.precision,
        "batch_size": config.batch_size,
        "max_memory": config.max_memory,
    }
