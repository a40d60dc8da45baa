"""Parts and sums of splits, written as TensorFlow Datasets writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from jaxtyping import Int64

from .._errors import InputError, unknown_name

_END = r"(-?\d+(?:_\d+)*(?:(?:\.\d+)?%)?)?"
_RANGE = re.compile(rf"{_END}:{_END}\]")


def positions(
    split: str | None, sizes: Mapping[str, int], name: str
) -> Int64[np.ndarray, " images"]:
    """Where the images of a split lie among those of all splits, one split after the other.

    Args:
      split: a split's name, a part of it (`train[:300]`, `train[-10%:]`), or a sum of such
        (`train+validation[:100]`). Percentages are rounded to whole images.
      sizes: the number of images by the name of the split.
      name: of the data, for errors.

    Raises:
      InputError: there is no such split, a part is not of this form or goes beyond its split, or
        no image is left.
    """
    parts = (split or "").split("+")
    names = [part.partition("[")[0] for part in parts]
    for known in names:
        if known not in sizes:
            raise unknown_name("split", known, sizes, f"data {name!r}")
    starts = dict(zip(sizes, np.cumsum([0, *sizes.values()]).tolist(), strict=False))
    chosen = np.concatenate(
        [
            starts[known] + np.arange(sizes[known])[_slice(part, sizes[known], name)]
            for part, known in zip(parts, names, strict=True)
        ]
    )
    if len(chosen) == 0:
        raise InputError(f"split {split!r} of data {name!r} holds no images")
    return chosen


def _slice(part: str, size: int, name: str) -> slice:
    """The images of a part of a split of so many."""
    _, bracket, rest = part.partition("[")
    if not bracket:
        return slice(None)
    matched = _RANGE.fullmatch(rest)
    if matched is None:
        raise InputError(
            f"split {part!r} of data {name!r}: give a part as in 'train[:300]' or 'train[25%:50%]'"
        )
    # A percent sign at one end counts for both.
    unit = 100 if "%" in rest else size
    ends = [float(end.rstrip("%")) if end else None for end in matched.groups()]
    if any(end is not None and abs(end) > unit for end in ends):
        raise InputError(
            f"split {part!r} of data {name!r} goes beyond its {size:,} images: give smaller numbers"
        )
    return slice(*(None if end is None else round(end * size / unit) for end in ends))
