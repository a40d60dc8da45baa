"""Attributes of all units, from one pass over the images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import xarray as xr

import jaxunits as ju

from ..measurement import Measurement, Results
from ..progress import image_bar
from ..subject import Subject


def _content(subject: Subject, layer: str) -> dict[str, str]:
    return ju.attributes.collect_settings(subject.network, layer, subject.data)[layer]


def _measure(
    subject: Subject, layers: Sequence[str], _: Results
) -> Iterator[tuple[str, xr.Dataset]]:
    with image_bar(subject.console, f"attributes of {', '.join(layers)}") as progress:
        found = ju.attributes.collect(
            subject.network,
            list(layers),
            subject.data,
            batch_size=subject.config.batch_size,
            progress=progress,
        )
    yield from found.items()


attributes = Measurement("attributes", _measure, _content, options=("split",), one_pass=True)
