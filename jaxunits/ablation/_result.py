"""From counts to class accuracy drops, labelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from jaxtyping import Float32, Int

from ._counts import Counts

_DESCRIPTIONS = {
    "correct": ("images", "correct images after ablation"),
    "correct_before": ("images", "correct images before ablation"),
    "count": ("images", "images of the class"),
    "loss_sum": ("nats", "sum of the images' cross-entropies after ablation"),
    "loss_sum_before": ("nats", "sum of the images' cross-entropies before ablation"),
    "loss": ("nats per image", "mean cross-entropy after ablation"),
    "loss_before": ("nats per image", "mean cross-entropy before ablation"),
    "class_accuracy_drop": ("share of images", "accuracy before − accuracy after, by class"),
    "overall_accuracy_drop": ("share of images", "accuracy before − accuracy after, all images"),
    "max_class_accuracy_drop": ("share of images", "largest class accuracy drop"),
    "min_class_accuracy_drop": ("share of images", "smallest class accuracy drop"),
    "most_damaged_class": ("", "class with the largest accuracy drop"),
}


def labelled(
    counts: Counts,
    *,
    masks: Float32[np.ndarray, "masks units"] | None,
    class_names: Sequence[str],
    attributes: Mapping[str, str | int | float],
) -> xr.Dataset:
    """Counts as a labelled Dataset, with the accuracy drops of paper A §2.1.

    Args:
      counts: sums over images; accuracy, drop and loss of a class without images are NaN.
      masks: the masks, 1 = kept; None where mask i ablates unit i alone.
      class_names: the classes' names.
      attributes: provenance.
    """
    correct, loss_sum, count = counts
    dimension = "unit" if masks is None else "mask"
    empty = [name for name, images in zip(class_names, count, strict=True) if images == 0]
    result = xr.Dataset(
        {
            "correct": ((dimension, "class"), correct[1:]),
            "correct_before": ("class", correct[0]),
            "count": ("class", count),
            "loss_sum": ((dimension, "class"), loss_sum[1:]),
            "loss_sum_before": ("class", loss_sum[0]),
        },
        coords={dimension: np.arange(len(correct) - 1), "class": list(class_names)},
        attrs={**attributes, "empty_classes": ", ".join(empty)},
    )
    if masks is not None:
        result["kept"] = (("mask", "unit"), masks)
    images = result["count"].where(result["count"] > 0)
    result["loss"] = result.loss_sum / images
    result["loss_before"] = result.loss_sum_before / images
    result["class_accuracy_drop"] = (result.correct_before - result.correct) / images
    lost = result.correct_before.sum("class") - result.correct.sum("class")
    result["overall_accuracy_drop"] = lost / result["count"].sum()
    result["max_class_accuracy_drop"] = result.class_accuracy_drop.max("class")
    result["min_class_accuracy_drop"] = result.class_accuracy_drop.min("class")
    result["most_damaged_class"] = result.class_accuracy_drop.idxmax("class").astype(object)
    for name, (unit, description) in _DESCRIPTIONS.items():
        result[name].attrs = {"units": unit, "long_name": description}
    return result.transpose(dimension, "class", ...)


def most_damaging(result: xr.Dataset, count: int) -> Int[np.ndarray, " count"]:
    """The units (or masks) with the largest max class accuracy drop, most damaging first.

    Ties go to the larger overall accuracy drop, then to the lower index.

    Args:
      result: of `sweep`.
      count: how many, at most.
    """
    order = np.lexsort(
        (-result.overall_accuracy_drop.values, -result.max_class_accuracy_drop.values)
    )
    return order[:count]
