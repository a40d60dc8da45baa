"""For each class the series of ablations that hurts it most (paper A §3.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import xarray as xr

import jaxunits as ju

from ..progress import image_bar
from .kind import SWEEP, Kind
from .subject import Found, Subject


def _content(subject: Subject, layer: str) -> dict[str, str]:
    return {
        **subject.sweep_settings(layer),
        "masks": f"greedy, {_steps(subject, layer)} steps",
        "chosen_on": subject.data.fingerprint,
        "chosen_for": ", ".join(_classes(subject)),
    }


def _classes(subject: Subject) -> tuple[str, ...]:
    """The classes that were asked for; by default all that have images."""
    present = set(subject.data.labels.tolist())
    names = subject.data.class_names
    return subject.config.greedy.classes or tuple(
        name for label, name in enumerate(names) if label in present
    )


def _steps(subject: Subject, layer: str) -> int:
    return min(subject.config.greedy.steps, subject.network.layer(layer).units)


def _measure(subject: Subject, layers: Sequence[str], _: Found) -> Iterator[tuple[str, xr.Dataset]]:
    wanted = subject.config.greedy
    for layer in layers:
        classes = _classes(subject)
        with image_bar(
            subject.console, f"greedy ablation of {layer}, {len(classes)} classes", of="units"
        ) as progress:
            yield (
                layer,
                ju.ablation.greedy(
                    subject.network,
                    layer,
                    subject.data,
                    classes=classes,
                    steps=_steps(subject, layer),
                    random=wanted.random_orders,
                    seed=wanted.seed,
                    values=subject.config.values,
                    file=greedy.unfinished(subject, layer) / "greedy.nc",
                    progress=progress,
                    **subject.options(),
                ),
            )


greedy = Kind(
    "greedy",
    lambda _: (*SWEEP, "greedy"),
    lambda subject: subject.config.greedy.layers or subject.config.layers or subject.last_maps,
    _content,
    _measure,
)
