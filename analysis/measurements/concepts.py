"""How well each unit coincides with visual concepts (paper A §2.2)."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

import xarray as xr

import jaxunits as ju

from ..config import Config
from ..progress import image_bar
from .kind import Kind
from .subject import Found, Subject

_OWN = "computed"


def _concepts(subject: Subject) -> ju.data.concepts.Concepts:
    """The annotated images that were asked for; by default the run's own."""
    wanted = subject.config.concepts
    if wanted.source == _OWN:
        return ju.data.concepts.computed(subject.data)
    return _loaded(wanted.source, wanted.split, subject.network.preprocessing.channels)


@functools.cache
def _loaded(source: str, split: str | None, channels: int) -> ju.data.concepts.Concepts:
    """Annotated images, which loading reads once from end to end: once for a whole study."""
    return ju.data.concepts.load(source, split, channels=channels)


def _options(config: Config) -> Sequence[str]:
    return ("concepts", "split") if config.concepts.source == _OWN else ("concepts",)


def _content(subject: Subject, layer: str) -> dict[str, str]:
    concepts = _concepts(subject)
    return {
        **subject.layer_settings(layer),
        "split": concepts.split,
        "concepts_fingerprint": concepts.fingerprint,
    }


def _measure(subject: Subject, layers: Sequence[str], _: Found) -> Iterator[tuple[str, xr.Dataset]]:
    concepts = _concepts(subject)
    for layer in layers:
        with image_bar(subject.console, f"concepts of {layer}") as progress:
            yield (
                layer,
                ju.attributes.dissect(
                    subject.network,
                    layer,
                    concepts,
                    convention=subject.config.concepts.convention,
                    quantile=subject.config.concepts.quantile,
                    detector_iou=subject.config.concepts.detector_iou,
                    progress=progress,
                ),
            )


concepts = Kind(
    "concepts",
    _options,
    lambda subject: subject.config.concepts.layers or subject.config.layers or subject.last_maps,
    _content,
    _measure,
)
