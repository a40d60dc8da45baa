"""How well each unit coincides with visual concepts (Zhou et al. 2018 §2.2)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import xarray as xr

import jaxunits as ju

from ..measurement import Measurement, Progress, Results, asked_layers, layer_by_layer
from ..settings import SHARE
from ..subject import Subject


@dataclass(frozen=True)
class Concepts:
    """Concepts that units are compared with."""

    source: str = "computed"
    """Annotated images: broden:PATH, folder:PATH or tfds:scene_parse150; by default concepts
    computed from the run's own images."""
    split: str | None = None
    """Which split of them."""
    convention: Literal["netdissect", "dissect2020", "dissect2020_code"] = "netdissect"
    """Which threshold cuts a unit's maps, and on which grid they are compared with masks."""
    quantile: Annotated[float | None, SHARE] = None
    """Share of all positions above the threshold, instead of the convention's, which suits large
    images: on small ones concepts take up more of the image."""
    detector_iou: Annotated[float, ju.Range(0, 1)] = 0.04
    """A unit with a larger IoU is a detector."""
    layers: tuple[str, ...] = ()
    """Which layers; the last with maps by default."""


_OWN = "computed"


def _concepts(subject: Subject) -> ju.data.concepts.Concepts:
    """The annotated images that were asked for; by default the run's own."""
    wanted = subject.config.of(Concepts)
    if wanted.source == _OWN:
        return ju.data.concepts.computed(subject.data)
    return _loaded(wanted.source, wanted.split, subject.network.preprocessing.channels)


@functools.cache
def _loaded(source: str, split: str | None, channels: int) -> ju.data.concepts.Concepts:
    """Annotated images, which loading reads once from end to end: once for a whole study."""
    return ju.data.concepts.load(source, split, channels=channels)


def _content(subject: Subject, layer: str) -> dict[str, str]:
    concepts = _concepts(subject)
    return {
        **subject.layer_settings(layer),
        "split": concepts.split,
        "concepts_fingerprint": concepts.fingerprint,
    }


def _dissect(subject: Subject, layer: str, _: Results, progress: Progress) -> xr.Dataset:
    wanted = subject.config.of(Concepts)
    return ju.attributes.dissect(
        subject.network,
        layer,
        _concepts(subject),
        convention=wanted.convention,
        quantile=wanted.quantile,
        detector_iou=wanted.detector_iou,
        progress=progress,
    )


def _layers(subject: Subject) -> Sequence[str]:
    """The layers that were asked for, refused before anything is measured if concepts cannot lie.

    Raises:
      InputError: one gives tokens.
    """
    layers = asked_layers(Concepts)(subject)
    subject.refuse_without_maps(layers, " to compare with concepts", "concepts.layers")
    return layers


concepts = Measurement(
    "concepts",
    layer_by_layer(lambda _, layer: f"concepts of {layer}", _dissect),
    _content,
    options=("split", Concepts),
    layers=_layers,
    # Annotated images are the same whichever images the network is measured on.
    without=lambda config: () if config.of(Concepts).source == _OWN else ("split",),
)
