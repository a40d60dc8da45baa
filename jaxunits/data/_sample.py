"""Random samples of a data set."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from .._arguments import check_real, check_whole_or_none
from .._errors import InputError
from ._dataset import Dataset, check_dataset
from ._random import generator
from ._subset import subset


def sample(
    data: Dataset,
    num_images: int | None = None,
    *,
    per_class: int | None = None,
    fraction: float | None = None,
    seed: int = 0,
) -> Dataset:
    """Random images, in the data's order; which ones depends only on `seed` and the data.

    For one seed, a larger sample of the same kind contains a smaller one. For images of one class:
    `sample(of_class(data, "zebra"), 100)`.

    Args:
      data: the images.
      num_images: how many, whatever their classes.
      per_class: how many of each class.
      fraction: the share of each class, rounded, with at least one image of every class that has
        any.
      seed: the seed of the sample.

    Returns:
      The chosen images; all class names stay.

    Raises:
      InputError: not exactly one of the three is given, it is out of range, or a class has fewer
        images than `per_class`.
    """
    check_dataset(data)
    if sum(size is not None for size in (num_images, per_class, fraction)) != 1:
        raise InputError(
            f"sample with num_images={num_images}, per_class={per_class}, fraction={fraction}: "
            "give exactly one of them"
        )
    check_whole_or_none(num_images=num_images, per_class=per_class)
    if fraction is not None:
        check_real(fraction=fraction)
    numbers = generator("sample", seed=seed).random(len(data))
    if num_images is not None:
        if not 1 <= num_images <= len(data):
            raise InputError(
                f"num_images={num_images} of the {len(data)} images of data {data.name!r}: give "
                f"1 to {len(data)}"
            )
        return subset(data, np.sort(np.argsort(numbers, kind="stable")[:num_images]))
    sizes = np.bincount(data.labels, minlength=len(data.class_names))
    wanted = _shares(sizes, fraction) if per_class is None else _equal(data, sizes, per_class)
    # Class by class, each in random order; an image is chosen by its rank within its class.
    order = np.lexsort((numbers, data.labels))
    labels = data.labels[order]
    rank = np.arange(len(data)) - (np.cumsum(sizes) - sizes)[labels]
    return subset(data, np.sort(order[rank < wanted[labels]]))


def _shares(
    sizes: Int[np.ndarray, " classes"], fraction: float | None
) -> Int[np.ndarray, " classes"]:
    if fraction is None or not 0 < fraction <= 1:
        raise InputError(f"fraction={fraction}: give a number above 0, to 1")
    return np.maximum(np.rint(sizes * fraction).astype(np.int64), 1)


def _equal(
    data: Dataset, sizes: Int[np.ndarray, " classes"], per_class: int
) -> Int[np.ndarray, " classes"]:
    if per_class < 1:
        raise InputError(f"per_class={per_class}: give at least 1")
    least = int(sizes.argmin())
    if sizes[least] < per_class:
        raise InputError(
            f"per_class={per_class}: class {data.class_names[least]!r} of data {data.name!r}, "
            f"split {data.split!r}, has {sizes[least]} images: give fewer, or a fraction"
        )
    return np.full(len(sizes), per_class)
