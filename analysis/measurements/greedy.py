"""For each class the series of ablations that hurts it most (Zhou et al. 2018 §3.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import xarray as xr

import jaxunits as ju

from ..measurement import SWEEP, Measurement, Progress, Results, asked_layers, layer_by_layer
from ..settings import COUNT, FROM_ZERO
from ..subject import Subject, present_classes


@dataclass(frozen=True)
class Greedy:
    """Greedy ablation, class by class."""

    steps: Annotated[int, COUNT] = 32
    """Units to ablate, at most."""
    classes: tuple[str, ...] = ()
    """Which classes; all by default."""
    random_orders: Annotated[int, FROM_ZERO] = 10
    """Random orders to compare with."""
    seed: Annotated[int, ju.SEEDS] = 0
    """The seed of the random orders."""
    layers: tuple[str, ...] = ()
    """Which layers; the last with maps by default."""


def _content(subject: Subject, layer: str) -> dict[str, str]:
    return {
        **subject.sweep_settings(layer),
        "masks": f"greedy, {_steps(subject, layer)} steps",
        "chosen_on": subject.data.fingerprint,
        "chosen_for": ", ".join(_classes(subject)),
    }


def _classes(subject: Subject) -> tuple[str, ...]:
    """The classes that were asked for; by default all that have images."""
    return subject.config.of(Greedy).classes or present_classes(subject.data)


def _steps(subject: Subject, layer: str) -> int:
    return min(subject.config.of(Greedy).steps, subject.units(layer))


def _greedy(subject: Subject, layer: str, _: Results, progress: Progress) -> xr.Dataset:
    wanted = subject.config.of(Greedy)
    return ju.ablation.greedy(
        subject.network,
        layer,
        subject.data,
        classes=_classes(subject),
        steps=_steps(subject, layer),
        random=wanted.random_orders,
        seed=wanted.seed,
        values=subject.config.values,
        file=greedy.unfinished(subject, layer) / "greedy.nc",
        progress=progress,
        **subject.options(),
    )


greedy = Measurement(
    "greedy",
    layer_by_layer(
        lambda of, name: f"greedy ablation of {name}, {len(_classes(of))} classes",
        _greedy,
        of="units",
    ),
    _content,
    options=(*SWEEP, Greedy),
    layers=asked_layers(Greedy),
)
