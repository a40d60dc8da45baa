"""Images that units respond to most, and which other units respond to them (Chen et al. 2019)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import xarray as xr

import jaxunits as ju

from ..measurement import Measurement, Progress, Results, layer_by_layer
from ..settings import COUNT
from ..subject import Subject
from .panels import thumbnail


@dataclass(frozen=True)
class Synthesis:
    """Images that units respond to most: activation maximization (AM) and independent AM (IAM)."""

    steps: Annotated[int, COUNT] = 256
    """Steps of ascent."""
    learning_rate: Annotated[float, ju.Range(0, open="least")] = 0.1
    """The step size of plain ascent, in root mean square over the pixels; it decays to 0."""
    noise_seeds: Annotated[int, COUNT] = 3
    """Images per unit and objective, each from different noise."""
    iam_from: Literal["noise", "am"] = "noise"
    """Where IAM starts: from noise as in Chen et al. 2019, or from AM's image with small steps,
    so that both end on the same hill."""
    robust: bool = False
    """Make images that people can read (small random movements, Fourier basis) instead of plain
    ascent on pixels as in Chen et al. 2019."""
    units: Annotated[int | None, COUNT] = None
    """Units per layer that have images, evenly spread; all by default."""
    layers: tuple[str, ...] = ()
    """Which layers, in the networks that have them; all by default."""


OBJECTIVES = ("am", "iam")
# IAM from AM's images stays on AM's hill with so much of the learning rate.
_NEAR = 0.05
_KEPT = ("response", "activation", "objective", "active", "rising")
# What differs between the calls that a measurement joins.
_OF_A_CALL = {
    *("batch_size", "peak_bytes", "programs", "compile_seconds", "run_seconds", "created"),
    *("maximized", "seed", "initial"),
}


def _layers(subject: Subject) -> Sequence[str]:
    """Those that were asked for and the network has; all by default."""
    wanted = subject.config.of(Synthesis).layers
    found = tuple(name for name in subject.layers if not wanted or name in wanted)
    if not found:
        raise ju.unknown_name("layer", wanted[0], subject.layers, subject.network.name)
    return found


def _title(subject: Subject, layer: str) -> str:
    units = _units(subject.units(layer), subject.config.of(Synthesis).units)
    return f"images for {len(units)} units of {layer}"


def _images(subject: Subject, layer: str, _: Results, progress: Progress) -> xr.Dataset:
    """All images of a layer: two objectives and several noise seeds."""
    wanted, network = subject.config.of(Synthesis), subject.network
    method = method_of(wanted, network.preprocessing.channels)
    parts: dict[str, list[xr.Dataset]] = {name: [] for name in OBJECTIVES}
    pictures = []
    latest: dict[str, xr.Dataset] = {}
    rounds = len(OBJECTIVES) * wanted.noise_seeds
    for number in range(rounds):
        seed, objective = divmod(number, len(OBJECTIVES))
        name = OBJECTIVES[objective]
        near = name == "iam" and wanted.iam_from == "am"

        def show(done: int, total: int, number: int = number) -> None:
            progress(number * total + done, rounds * total)

        latest[name] = ju.synthesis.maximize(
            network,
            layer,
            _units(subject.units(layer), wanted.units),
            objective=name,
            method=_nearby(method) if near else method,
            seed=seed,
            initial=latest["am"] if near else None,
            max_memory=subject.config.max_memory,
            progress=show,
        )
        rs = ju.results.representative_substitution(latest[name]).rs
        parts[name].append(latest[name][list(_KEPT)].assign(rs=rs))
        if seed == 0:
            # Black where a unit has none.
            pixels = np.rint(255 * np.nan_to_num(latest[name].image.values).clip(0, 1))
            pictures.append([thumbnail(each) for each in pixels.astype(np.uint8)])
    stacked = [xr.concat(of, "noise_seed", combine_attrs="override") for of in parts.values()]
    whole = xr.concat(stacked, "maximized", combine_attrs="override")
    whole.attrs = {key: value for key, value in whole.attrs.items() if key not in _OF_A_CALL}
    return whole.assign(
        image=(("maximized", "unit", "y", "x", "channel"), np.array(pictures))
    ).assign_coords(maximized=list(parts), noise_seed=np.arange(wanted.noise_seeds))


def method_of(wanted: Synthesis, channels: int) -> ju.synthesis.Method:
    """How images are made.

    Args:
      wanted: what was asked for.
      channels: of the network's images.
    """
    if wanted.robust:
        robust = dataclasses.replace(ju.synthesis.ROBUST, decorrelate_colors=channels == 3)
        return dataclasses.replace(robust, steps=wanted.steps)
    return ju.synthesis.Method(steps=wanted.steps, learning_rate=wanted.learning_rate)


def _nearby(method: ju.synthesis.Method) -> ju.synthesis.Method:
    """Smaller steps from an image on, which is not moved by noise."""
    rate = method.learning_rate
    return method if callable(rate) else dataclasses.replace(method, learning_rate=_NEAR * rate)


def _units(units: int, most: int | None) -> list[int]:
    """All units, or so many of them, evenly spread."""
    if most is None or most >= units:
        return list(range(units))
    return np.linspace(0, units - 1, most).round().astype(int).tolist()


synthesis = Measurement(
    "synthesis",
    layer_by_layer(_title, _images, of="steps"),
    Subject.layer_settings,
    (Synthesis,),
    _layers,
    calls=lambda subject: len(OBJECTIVES) * subject.config.of(Synthesis).noise_seeds,
)
