"""The pictures of units: top images with what is active in them, and images made for units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import UInt8

from ..figures import active_places
from .arrays import packed, texts, unsigned
from .sprites import Sprites

# What is behind the last picture: none.
_NONE = 2**32 - 1


class Gallery:
    """The images of a network's data set that its units show, each kept once.

    Attributes:
      pictures: of all layers.
    """

    def __init__(self) -> None:
        self.pictures: list[UInt8[np.ndarray, "y x colors"]] = []
        self._places: dict[tuple[Any, ...], int] = {}

    def place(self, name: tuple[Any, ...], picture: UInt8[np.ndarray, "y x colors"]) -> int:
        """Where a picture is among all, which has the same name wherever it is shown."""
        if name not in self._places:
            self._places[name] = len(self.pictures)
            self.pictures.append(picture)
        return self._places[name]


def top_images(panels: xr.Dataset, gallery: Gallery, sprites: Sprites) -> dict[str, Any]:
    """A layer's units with the images that activate them most, and images of damaged classes.

    Args:
      panels: what was measured of a layer.
      gallery: takes the images.
      sprites: takes what is active in them.
    """
    thumbnails, images = panels.thumbnail.values, panels.image.values
    places = np.empty(images.shape, np.int64)
    covers = []
    for unit, rank in np.ndindex(images.shape):
        thumbnail = thumbnails[unit, rank]
        places[unit, rank] = gallery.place(("image", int(images[unit, rank])), thumbnail)
        covers.append(
            active_places(
                panels.activation_map.values[unit, rank],
                float(panels.threshold.values[unit]),
                thumbnail.shape[:2],
            )
        )
    return {
        "units": unsigned(panels.unit.values),
        "places": unsigned(places),
        "covers": sprites.add_covers(covers),
        "image": unsigned(images),
        "activation": packed(panels.activation.values, "f4"),
        "threshold": packed(panels.threshold.values, "f4"),
        **_samples(panels, gallery),
    }


def _samples(panels: xr.Dataset, gallery: Gallery) -> dict[str, Any]:
    names, samples = panels.damaged_class.values, panels.sample.values
    places = np.full(samples.shape[:3], _NONE, np.int64)
    for place in np.argwhere(panels.sampled.values):
        unit, number, sample = place.tolist()
        name = ("class", str(names[unit, number]), sample)
        places[unit, number, sample] = gallery.place(name, samples[unit, number, sample])
    return {
        "sample_classes": {**texts(names.ravel()), "shape": list(names.shape)},
        "samples": packed(places, "u4"),
    }


def made_images(made: xr.Dataset, sprites: Sprites) -> dict[str, Any]:
    """The images made for units of a layer, those of the first noise seed.

    Args:
      made: what was measured of a layer.
      sprites: takes them.
    """
    first = made.isel(noise_seed=0).transpose("maximized", "unit", ...)
    shape = first.image.shape
    pictures = first.image.values.reshape(-1, *shape[2:])
    return {
        "objectives": first.maximized.values.tolist(),
        "units": unsigned(first.unit.values),
        "active": packed(first.active.values, "u1"),
        "activation": packed(first.activation.values, "f4"),
        "pictures": sprites.add(list(pictures)),
    }


def pictures_of(
    measured: Mapping[str, xr.Dataset], gallery: Gallery, sprites: Sprites
) -> dict[str, Any]:
    """What there is to see of a layer's units.

    Args:
      measured: by name of the measurement.
      gallery: takes images of the data set.
      sprites: takes all others.
    """
    found = {}
    if "panels" in measured:
        found["top"] = top_images(measured["panels"], gallery, sprites)
    if "synthesis" in measured:
        found["made"] = made_images(measured["synthesis"], sprites)
    return found
