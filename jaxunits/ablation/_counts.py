"""From predictions to integer counts, and from these to class accuracy drops."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float32, Int, Int32, Int64

from .. import execution
from ..execution import Files, Measurement, Progress
from ..results import class_coordinates
from ._engine import Answers, Engine
from ._question import Question

# Losses are added as multiples of this part of a nat, in integers: their sum does not depend on
# the order in which images come, nor on which process adds them.
LOSS_UNITS = 2**24
_LARGEST_LOSS = 1e9

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


class Outcomes(NamedTuple):
    """Per-image outcomes that are kept for some images.

    Attributes:
      labels: the images' classes.
      before: predicted classes without ablation.
      changed: under every mask 0 where the prediction is the same, else one more than the class.
      loss: sums of cross-entropies over each class, in `1 / LOSS_UNITS` nats.
      repeated: images that were evaluated again in float32.
    """

    labels: Int32[np.ndarray, " images"]
    before: Int32[np.ndarray, " images"]
    changed: Int[np.ndarray, "masks images"]
    loss: Int64[np.ndarray, "rows classes"]
    repeated: Int64[np.ndarray, ""]

    @property
    def prediction(self) -> Int32[np.ndarray, "rows images"]:
        """Predicted classes, the first row without ablation."""
        after = np.where(self.changed == 0, self.before, self.changed.astype(np.int32) - 1)
        return np.concatenate([self.before[None], after])


def as_integers(loss: Float32[np.ndarray, "*shape"]) -> Int64[np.ndarray, "*shape"]:
    """Losses in whole `1 / LOSS_UNITS` nats; larger ones than 10⁹ nats count as 10⁹."""
    wide = np.minimum(loss.astype(np.float64), _LARGEST_LOSS)
    return np.rint(wide * LOSS_UNITS).astype(np.int64)


def outcomes(seen: Iterable[Answers], classes: int) -> Outcomes:
    """The outcomes of several batches, in the order of the images.

    Args:
      seen: the outcomes of each batch.
      classes: how many classes there are.
    """
    answers = list(seen)
    place = np.argsort(np.concatenate([part.image for part in answers]), kind="stable")
    labels = np.concatenate([part.labels for part in answers])[place]
    prediction = np.concatenate([part.prediction for part in answers], 1)[:, place]
    loss = as_integers(np.concatenate([part.loss for part in answers], 1)[:, place])
    changed = np.where(prediction[1:] == prediction[0], 0, prediction[1:] + 1)
    return Outcomes(
        labels=labels,
        before=prediction[0],
        changed=changed.astype(np.min_scalar_type(classes)),
        loss=sums_by_class(loss, labels, classes),
        repeated=np.asarray(sum(int(part.repeated.sum()) for part in answers)),
    )


class Counts(NamedTuple):
    """Sums over images; row 0 is without ablation, then one row per mask.

    Attributes:
      images: images of each class.
      correct: correct images.
      broken: images that were correct without ablation and are not under the mask.
      loss: sums of cross-entropies, in `1 / LOSS_UNITS` nats.
      worst: the class that loses the largest share of its images.
      confusion: its images by predicted class, under the mask.
      confusion_before: the same images by predicted class, without ablation.
      repeated: images that were evaluated again in float32.
    """

    images: Int64[np.ndarray, " classes"]
    correct: Int64[np.ndarray, "rows classes"]
    broken: Int64[np.ndarray, "rows classes"]
    loss: Int64[np.ndarray, "rows classes"]
    worst: Int64[np.ndarray, " rows"]
    confusion: Int64[np.ndarray, "rows classes"]
    confusion_before: Int64[np.ndarray, "rows classes"]
    repeated: int


def tally(parts: Callable[[], Iterable[Outcomes]], rows: int, classes: int) -> Counts:
    """Sum up outcomes, in two rounds: the confusion is that of the class that the first finds.

    Args:
      parts: yields all outcomes whenever it is called.
      rows: the masks, plus one row without ablation.
      classes: how many classes there are.
    """
    images = np.zeros(classes, np.int64)
    correct, broken, loss = (np.zeros((rows, classes), np.int64) for _ in range(3))
    before = np.zeros((classes, classes), np.int64)
    repeated = 0
    for part in parts():
        repeated += int(part.repeated)
        right = part.prediction == part.labels
        images += np.bincount(part.labels, minlength=classes)
        correct += sums_by_class(right, part.labels, classes)
        broken += sums_by_class(right[:1] & ~right, part.labels, classes)
        loss += part.loss
        np.add.at(before, (part.labels, part.before), 1)
    worst = _most_damaged(correct, images)
    confusion = np.zeros((rows, classes), np.int64)
    for part in parts():
        row, image = np.nonzero(part.labels[None] == worst[:, None])
        np.add.at(confusion, (row, part.prediction[row, image]), 1)
    return Counts(images, correct, broken, loss, worst, confusion, before[worst], repeated)


def sums_by_class(
    values: np.ndarray, labels: np.ndarray, classes: int
) -> Int64[np.ndarray, "rows classes"]:
    """Sums of whole numbers `[rows, images]` over the images of each class."""
    order = np.argsort(labels, kind="stable")
    present, starts = np.unique(labels[order], return_index=True)
    sums = np.zeros((len(values), classes), np.int64)
    sums[:, present] = np.add.reduceat(values[:, order], starts, axis=1, dtype=np.int64)
    return sums


def _most_damaged(
    correct: Int64[np.ndarray, "rows classes"], images: Int64[np.ndarray, " classes"]
) -> Int64[np.ndarray, " rows"]:
    """The class with the largest accuracy drop; ties go to the first."""
    drop = np.full(correct.shape, -np.inf)
    np.divide(
        correct[:1] - correct, images, out=drop, where=np.broadcast_to(images > 0, drop.shape)
    )
    return drop.argmax(1)


def labeled(
    counts: Counts,
    *,
    coordinates: Mapping[str, Sequence[Any] | np.ndarray],
    class_names: Sequence[str],
    attributes: Mapping[str, Any],
) -> xr.Dataset:
    """Counts as a labeled Dataset, with the accuracy drops of Zhou et al. 2018, §2.1.

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


def measurement(
    question: Question,
    *,
    coordinates: Mapping[str, Any],
    variables: Mapping[str, Any],
    settings: Mapping[str, str],
    files: Files,
) -> Measurement:
    """Masks of a layer as a measurement.

    Args:
      question: the masks.
      coordinates: the dimensions of the masks, with their coordinates.
      variables: what is added to the result.
      settings: what the numbers depend on.
      files: where the result is kept.
    """
    layer, data = question.layer.name, question.data

    def finish(states: Callable[[], Iterator[Outcomes]]) -> dict[str, xr.Dataset]:
        counts = tally(states, len(question.masks), len(data.class_names))
        result = labeled(
            counts,
            coordinates=coordinates,
            class_names=data.class_names,
            attributes={"repeated_share": counts.repeated / max(1, len(data))},
        )
        return {layer: result.assign(variables)}

    return Measurement(
        settings={layer: settings},
        compile=lambda read: Engine(question.ready(read), read),
        observe=lambda answers: outcomes(answers, len(data.class_names)),
        kind=Outcomes,
        merge=None,
        finish=finish,
        files=files,
    )


def answer(
    question: Question, *, file: str | Path | None, progress: Progress | bool | None, **layout: Any
) -> xr.Dataset:
    """The result of evaluating the masks of a layer.

    Args:
      question: the masks.
      file: where it is kept.
      progress: as in `sweep`.
      **layout: of `measurement`: coordinates, variables, settings.
    """
    layer = question.layer.name
    one = measurement(question, files=Files.of(file, [layer], several=False), **layout)
    given = question.read(), question.carried_out, progress, f"ablating {layer}"
    return execution.in_one_pass([one], *given)[0][layer]
