"""Sweeps, attributes, birth points and synthesis, for `tests.benchmarks.accelerator`."""

from __future__ import annotations

import functools
import importlib.util

import jax
import numpy as np
import xarray as xr

import jaxunits as ju
from tests.topology.maps import maps_of

from .accelerator_cases import (
    Settings,
    births,
    case,
    collected,
    first_layers,
    layers_of,
    names_of,
    plain_seconds,
    timed,
)
from .clock import clocked
from .sections import Rows, Section
from .synthesis import made

SWEPT = ("float32", "tf32", "bfloat16", "checked")
MAPS = ("random", "half zero")


def sweeps(settings: Settings) -> Section:
    """Sweeps against plain passes and PyTorch."""

    def rows(name: str, layer: str) -> Rows:
        chosen, plain = case(name, settings), plain_seconds(name, settings)
        result = chosen.sweep(layer)
        call, run = timed(lambda: chosen.sweep(layer), settings)
        cells = [
            str(result.sizes["unit"]),
            str(result.attrs["method"]),
            f"{call:.3f}",
            f"{run:.3f}",
        ]
        pytorch = by_pytorch(name, layer, run, settings)
        return [[*cells, f"{1e3 * plain:.3g}", f"{run / plain:.2f}", *pytorch]]

    return Section(
        "sweeps of one batch in float32",
        (
            *(
                "network, layer",
                "units",
                "method",
                "call, s",
                "run, s",
                "plain, ms",
                "plain passes",
            ),
            *("PyTorch: plain, ms", "a hook a unit, s", "÷ run", "cached prefix, s", "÷ run"),
        ),
        "run: the attribute `run_seconds`, reading images included; call: all of a later call. "
        f"PyTorch's loops are timed on {settings.units} units and scaled; TF32 is off there.",
        {
            f"{name} {layer}": functools.partial(rows, name, layer)
            for name, layer in layers_of(settings)
        },
    )


def by_pytorch(name: str, layer: str, run: float, settings: Settings) -> list[str]:
    """Cells of PyTorch's ways, beside a sweep's seconds."""
    if importlib.util.find_spec("torch") is None:
        return ["no PyTorch", *["–"] * 4]
    import torch

    from .contenders import TorchSide, torch_seconds
    from .torch_networks import torch_twin

    on_cpu = jax.default_backend() == "cpu"
    if not on_cpu and not torch.cuda.is_available():
        return ["PyTorch without CUDA", *["–"] * 4]
    torch.backends.cudnn.conv.fp32_precision = "ieee"
    torch.backends.cuda.matmul.fp32_precision = "ieee"
    chosen = case(name, settings)
    batches = list(ju.data.batches(chosen.data, chosen.network.preprocessing, len(chosen.data)))
    device = "cpu" if on_cpu else "cuda"
    side = TorchSide(torch_twin(chosen.network), layer, batches, device=device)
    passes = chosen.network.layers[layer].num_units + 1
    found = torch_seconds(side, side.liveliest(settings.units), passes, settings.seconds)
    cells = [f"{1e3 * found['plain PyTorch']:.3g}"]
    for way in ("hooks", "cached prefix"):
        cells += [f"{found[way]:.3g}", f"{found[way] / run:.3g}"]
    return cells


def precisions(settings: Settings) -> Section:
    """Sweeps in every precision."""
    return Section(
        "precisions of a sweep of four batches",
        (
            *("network, layer", "precision", "call, s", "run, s", "call ÷ float32", "counts off"),
            *("at most", "again"),
        ),
        "counts off: of correct images by unit and class, those that differ from float32's; at "
        "most: by how many images. again: the share of images that `checked` repeats in float32, "
        "the first batch among them; logits of random weights are close.",
        {
            f"{name} {layer}": functools.partial(precision_rows, name, layer, settings)
            for name, layer in first_layers(settings).items()
        },
    )


def precision_rows(name: str, layer: str, settings: Settings) -> Rows:
    """Cells of a layer's sweeps, a row for each precision."""

    def sweep(precision: str) -> xr.Dataset:
        return case(name, settings).sweep(layer, batches=4, precision=precision)

    results = {precision: sweep(precision) for precision in SWEPT}
    times = {each: timed(functools.partial(sweep, each), settings) for each in SWEPT}
    exact, cells = results["float32"].correct.values, []
    for precision, result in results.items():
        off = np.abs(result.correct.values - exact)
        call, run = times[precision]
        row = [precision, f"{call:.3f}", f"{run:.3f}", f"{call / times['float32'][0]:.2f}"]
        row += [f"{np.count_nonzero(off):,} of {off.size:,}", str(off.max())]
        cells.append([*row, f"{float(result.attrs.get('repeated_share', 0)):.0%}"])
    return cells


def attributes(settings: Settings) -> Section:
    """All attributes of all layers."""

    def rows(name: str) -> Rows:
        chosen, plain = case(name, settings), plain_seconds(name, settings)
        units = sum(layer.num_units for layer in chosen.network.layers.values())
        cells = [f"{units:,}"]
        for gradients in (False, True):
            collect = functools.partial(collected, chosen, gradients=gradients)
            collect()
            call, run = timed(collect, settings)
            cells += [f"{call:.3f}", f"{run:.3f}", f"{run / plain:.2f}"]
        return [cells]

    return Section(
        "attributes of all layers",
        (
            *("network", "units", "call, s", "run, s", "plain passes"),
            *("backwards: call, s", "run, s", "plain passes"),
        ),
        "backwards: with gradient and taylor. Batches are of the default size.",
        {name: functools.partial(rows, name) for name in names_of(settings)},
    )


def birth_points(settings: Settings) -> Section:
    """Birth points of a network's maps, and of maps alone."""

    def of_network(name: str, layer: str) -> Rows:
        chosen, plain = case(name, settings), plain_seconds(name, settings)
        found = births(chosen)
        call, run = timed(lambda: births(chosen), settings)
        side, _ = chosen.network.layers[layer].map_shape or (1, 1)
        return [births_row(found.birth_point.values, side, call, f"{run / plain:.2f}")]

    def of_maps(kind: str) -> Rows:
        maps = maps_of(kind, 14, settings.images, 128)

        def find() -> np.ndarray:
            return ju.topology.birth_points(maps, method="kernel")

        return [births_row(find(), 14, clocked(find, settings.seconds), "–")]

    name, layer = [*first_layers(settings).items()][-1]
    return Section(
        "birth points",
        ("maps", "pixels a side", "number", "born", "call, s", "µs a map", "plain passes"),
        "Of a network's images, its pass included, and of random maps that come from the host.",
        {
            f"{name} {layer}": functools.partial(of_network, name, layer),
            **{kind: functools.partial(of_maps, kind) for kind in MAPS},
        },
    )


def births_row(found: np.ndarray, side: int, call: float, passes: str) -> list[str]:
    """Cells of birth points that a call has found."""
    born = f"{(found > 0).mean():.0%}"
    return [
        str(side),
        f"{found.size:,}",
        born,
        f"{call:.3f}",
        f"{1e6 * call / found.size:.2f}",
        passes,
    ]


def synthesis(settings: Settings) -> Section:
    """Images of a layer's units together and one by one."""

    def rows(name: str, layer: str) -> Rows:
        network = case(name, settings).network
        units = min(network.layers[layer].num_units, settings.together)
        shape = (units, *network.preprocessing.size, network.preprocessing.channels)
        starts = np.random.default_rng(0).normal(0.5, 0.1, shape).clip(0, 1).astype(np.float32)

        def milliseconds(count: int, at_once: int | None) -> float:
            make = functools.partial(made, network, layer, starts[:count], at_once, settings.steps)
            make()
            return 1e3 * clocked(make, settings.seconds) / (count * settings.steps)

        together, alone = milliseconds(units, None), milliseconds(settings.alone, 1)
        return [[str(units), f"{together:.3f}", f"{alone:.3f}", f"{alone / together:.1f}"]]

    return Section(
        f"synthesis, milliseconds an image and step of {settings.steps} steps",
        ("network, layer", "images together", "together", "one by one", "ratio"),
        f"one by one: {settings.alone} images of one call with `images_at_once=1`.",
        {
            f"{name} {layer}": functools.partial(rows, name, layer)
            for name, layer in first_layers(settings).items()
        },
    )
