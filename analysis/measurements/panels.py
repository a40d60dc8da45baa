"""Pictures of units: what activates them, and whom they serve, small enough to keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import xarray as xr
from jaxtyping import Int, Num, UInt8
from PIL import Image

import jaxunits as ju

from ..measurement import SWEEP, Measurement, Progress, Results, layer_by_layer
from ..settings import COUNT, SHARE
from ..subject import Subject
from .ablation import ablation


@dataclass(frozen=True)
class Panels:
    """What is shown of a unit."""

    units: Annotated[int, COUNT] = 3
    """Units per layer: those with the largest max class accuracy drop."""
    images: Annotated[int, COUNT] = 9
    """Top-activating images per unit."""
    activation: Literal["mean", "max"] = "mean"
    """What ranks images: the mean of the unit's map, or its largest value."""
    quantile: Annotated[float, SHARE] = 0.02
    """Share of all positions of all images that counts as active, and is left uncovered."""
    classes: Annotated[int, COUNT] = 3
    """Most damaged classes per unit."""
    samples: Annotated[int, COUNT] = 6
    """Images per most damaged class."""


_SIDE = 112


def _panels(subject: Subject, layer: str, results: Results, progress: Progress) -> xr.Dataset:
    sweep = results["ablation"][layer]
    return draw_panels(subject.config.of(Panels), subject.network, subject.data, sweep, progress)


panels = Measurement(
    "panels",
    layer_by_layer(lambda _, layer: f"images of {layer}", _panels),
    Subject.sweep_settings,
    options=(*SWEEP, Panels),
    after=(ablation,),
)


def draw_panels(
    panels: Panels,
    network: ju.networks.Classifier,
    data: ju.data.Dataset,
    sweep: xr.Dataset,
    progress: Progress,
) -> xr.Dataset:
    """Pictures of a layer's most damaging units.

    Args:
      panels: how many of everything.
      network: the network.
      data: the images that the sweep was measured on.
      sweep: the sweep of the layer.
      progress: called with the images done and in all.

    Returns:
      What `ju.attributes.top_images` gives of these units, with `thumbnail` (each top image as the
      network sees it), and for the most damaged classes `damaged_class`, `sample` (images of it)
      and `sampled` (false where the class has no more images).
    """
    units = ju.results.most_damaging(sweep, panels.units)
    top = ju.attributes.top_images(
        network,
        sweep.attrs["layer"],
        data,
        units.tolist(),
        num_images=panels.images,
        activation=panels.activation,
        quantile=panels.quantile,
        progress=progress,
    )
    if not network.layer(sweep.attrs["layer"]).has_maps:
        # Tokens and the features of heads lie nowhere on the image: it is active or it is not.
        largest = top.activation_map.reduce(np.max, ("row", "column"), keepdims=True)
        top = top.drop_vars("activation_map").assign(activation_map=largest)
    damaged, samples = _samples(panels, data, sweep.class_accuracy_drop.values[units])
    thumbnails = small_pictures(data, network.preprocessing, top.image.values)
    sampled = small_pictures(data, network.preprocessing, samples)
    names = np.asarray(data.class_names, object)[damaged]
    return top.assign(
        thumbnail=(("unit", "rank", "y", "x", "channel"), thumbnails),
        damaged_class=(("unit", "place"), names),
        sample=(("unit", "place", "number", "y", "x", "channel"), sampled),
        sampled=(("unit", "place", "number"), samples >= 0),
    )


def _samples(
    panels: Panels, data: ju.data.Dataset, drops: Num[np.ndarray, "units classes"]
) -> tuple[Int[np.ndarray, "units places"], Int[np.ndarray, "units places numbers"]]:
    """Each unit's most damaged classes and the first images of each; −1 where there are too few."""
    order = np.argsort(-np.nan_to_num(drops, nan=-np.inf), axis=1, kind="stable")
    with_images = int((~np.isnan(drops[0])).sum())
    damaged = order[:, : min(panels.classes, with_images)]
    samples = np.full((*damaged.shape, panels.samples), -1)
    for place in np.ndindex(damaged.shape):
        found = np.flatnonzero(data.labels == damaged[place])[: panels.samples]
        samples[place][: len(found)] = found
    return damaged, samples


def small_pictures(
    data: ju.data.Dataset, preprocessing: ju.data.Preprocessing, images: Int[np.ndarray, "*shape"]
) -> UInt8[np.ndarray, "*shape y x channels"]:
    """What the network sees of images, small; black for the index −1."""
    small = {
        index: _thumbnail(np.asarray(data[index]["image"]), preprocessing)
        for index in np.unique(images).tolist()
        if index >= 0
    }
    empty = np.zeros_like(next(iter(small.values())))
    flat = [small.get(index, empty) for index in images.ravel().tolist()]
    return np.stack(flat).reshape(*images.shape, *empty.shape)


def _thumbnail(
    image: Num[np.ndarray, "height width channels"], preprocessing: ju.data.Preprocessing
) -> UInt8[np.ndarray, "y x colors"]:
    fitted = preprocessing.fit(image)
    if fitted.dtype != np.uint8:
        fitted = np.clip(fitted * 255, 0, 255).astype(np.uint8)
    return thumbnail(fitted)


def thumbnail(
    image: UInt8[np.ndarray, "height width channels"],
) -> UInt8[np.ndarray, "y x colors"]:
    """An image, small; gray where its channels are no colors."""
    if image.shape[-1] not in (1, 3):
        image = image.mean(-1, keepdims=True).astype(np.uint8)
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    picture.thumbnail((_SIDE, _SIDE))
    return np.asarray(picture).reshape(picture.height, picture.width, -1)
