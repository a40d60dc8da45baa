"""From counts to class accuracy drops, labelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ..results import class_coordinates
from ._counts import LOSS_UNITS, Counts

_DESCRIPTIONS = {
    "correct": ("images", "correct images after ablation"),
    "correct_before": ("images", "correct images before ablation"),
    "broken": ("images", "images correct before ablation and not after"),
    "n_images": ("images", "images of the class"),
    "loss_sum": ("nats", "sum of the images' cross-entropies after ablation"),
    "loss_sum_before": ("nats", "sum of the images' cross-entropies before ablation"),
    "loss": ("nats per image", "mean cross-entropy after ablation"),
    "loss_before": ("nats per image", "mean cross-entropy before ablation"),
    "class_accuracy": ("share of images", "accuracy after ablation, by class"),
    "overall_accuracy": ("share of images", "accuracy after ablation, all images"),
    "class_accuracy_drop": ("share of images", "accuracy before − accuracy after, by class"),
    "overall_accuracy_drop": ("share of images", "accuracy before − accuracy after, all images"),
    "max_class_accuracy_drop": ("share of images", "largest class accuracy drop"),
    "min_class_accuracy_drop": ("share of images", "smallest class accuracy drop"),
    "most_damaged_class": ("", "class with the largest accuracy drop"),
    "confusion": ("images", "images of the most damaged class by predicted class, after ablation"),
    "confusion_before": (
        "images",
        "images of the most damaged class by predicted class, before ablation",
    ),
}


def labelled(
    counts: Counts,
    *,
    coordinates: Mapping[str, Sequence[Any] | np.ndarray],
    class_names: Sequence[str],
    attributes: Mapping[str, Any],
) -> xr.Dataset:
    """Counts as a labelled Dataset, with the accuracy drops of paper A §2.1.

    Args:
      counts: sums over images; accuracy, drop and loss of a class without images are NaN.
      coordinates: the dimensions of the masks, in order, with their coordinates.
      class_names: the classes' names.
      attributes: provenance.
    """
    names = [str(name) for name in class_names]
    shape = tuple(len(values) for values in coordinates.values())
    masks = tuple(coordinates)
    empty = [name for name, images in zip(names, counts.images, strict=True) if images == 0]

    def rows(array: np.ndarray) -> np.ndarray:
        return array[1:].reshape(*shape, *array.shape[1:])

    result = xr.Dataset(
        {
            "correct": ((*masks, "class"), rows(counts.correct)),
            "correct_before": ("class", counts.correct[0]),
            "broken": ((*masks, "class"), rows(counts.broken)),
            "n_images": ("class", counts.images),
            "loss_sum": ((*masks, "class"), rows(counts.loss) / LOSS_UNITS),
            "loss_sum_before": ("class", counts.loss[0] / LOSS_UNITS),
            "most_damaged_class": (masks, rows(np.asarray(names, object)[counts.worst])),
            "confusion": ((*masks, "class"), rows(counts.confusion)),
            "confusion_before": ((*masks, "class"), rows(counts.confusion_before)),
        },
        coords={**coordinates, **class_coordinates(names)},
        attrs={**attributes, "empty_classes": ", ".join(empty)},
    )
    return _with_accuracies(result)


def _with_accuracies(result: xr.Dataset) -> xr.Dataset:
    images = result.n_images.where(result.n_images > 0)
    every = result.n_images.sum()
    result["loss"] = result.loss_sum / images
    result["loss_before"] = result.loss_sum_before / images
    result["class_accuracy"] = result.correct / images
    result["overall_accuracy"] = result.correct.sum("class") / every
    result["class_accuracy_drop"] = (result.correct_before - result.correct) / images
    lost = result.correct_before.sum("class") - result.correct.sum("class")
    result["overall_accuracy_drop"] = lost / every
    result["max_class_accuracy_drop"] = result.class_accuracy_drop.max("class")
    result["min_class_accuracy_drop"] = result.class_accuracy_drop.min("class")
    for name, (unit, description) in _DESCRIPTIONS.items():
        result[name].attrs = {"units": unit, "long_name": description}
    # In the order of the masks' dimensions; arithmetic puts the class first.
    return result.transpose(*result.correct.dims, ...)
