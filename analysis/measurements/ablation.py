"""Every unit ablated alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import xarray as xr

import jaxunits as ju

from ..progress import image_bar
from .kind import SWEEP, Kind
from .subject import Found, Subject


def _measure(subject: Subject, layers: Sequence[str], _: Found) -> Iterator[tuple[str, xr.Dataset]]:
    for layer in layers:
        units = subject.network.layer(layer).units
        with image_bar(subject.console, f"ablating {layer}, {units} units") as progress:
            yield (
                layer,
                ju.ablation.sweep(
                    subject.network,
                    layer,
                    subject.data,
                    values=subject.config.values,
                    file=ablation.unfinished(subject, layer) / "sweep.nc",
                    progress=progress,
                    **subject.options(),
                ),
            )


ablation = Kind(
    "ablation", lambda _: SWEEP, lambda subject: subject.layers, Subject.sweep_settings, _measure
)
