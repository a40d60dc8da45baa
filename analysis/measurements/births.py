"""Birth points of a layer's units on training images (paper B §3.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import xarray as xr

import jaxunits as ju

from ..progress import image_bar
from .kind import Kind
from .subject import Found, Subject
from .training import square_layers, topology_images

BIRTHS = tuple(f"topology.{name}" for name in ("classes", "images", "limit", "convention", "seed"))


def births_content(subject: Subject, layer: str) -> dict[str, str]:
    """What birth points depend on beside `BIRTHS`."""
    data = topology_images(subject)
    return {
        **subject.layer_settings(layer),
        "data": data.name,
        "split": data.split,
        "data_fingerprint": data.fingerprint,
    }


def _measure(subject: Subject, layers: Sequence[str], _: Found) -> Iterator[tuple[str, xr.Dataset]]:
    topology = subject.config.topology
    data = topology_images(subject)
    for layer in layers:
        with image_bar(subject.console, f"birth points of {layer}") as progress:
            yield (
                layer,
                ju.topology.layer_birth_points(
                    subject.network,
                    layer,
                    data,
                    limit=topology.limit,
                    convention=topology.convention,
                    progress=progress,
                ),
            )


births = Kind("births", lambda _: BIRTHS, square_layers, births_content, _measure)


def births_of(result: xr.Dataset, name: str) -> xr.DataArray:
    """The birth points on the images of a class, by `image` and `unit`."""
    return result.birth_point.isel(image=(result["class"] == name).values)
