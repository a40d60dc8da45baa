"""Attributes of all units, from one pass over the images."""

from __future__ import annotations

from collections.abc import Sequence

import jaxunits as ju

from ..measurement import Measured, Measurement, Results
from ..progress import image_bar
from ..subject import Subject


def _measure(subject: Subject, layers: Sequence[str], _: Results) -> Measured:
    with image_bar(subject.console, f"attributes of {', '.join(layers)}") as progress:
        found = ju.attributes.collect(
            subject.network,
            list(layers),
            subject.data,
            batch_size=subject.config.batch_size,
            progress=progress,
        )
    yield from found.items()


attributes = Measurement(
    "attributes",
    _measure,
    lambda of, layer: ju.attributes.collect_settings(of.network, layer, of.data)[layer],
    options=("split",),
    one_pass=True,
)
