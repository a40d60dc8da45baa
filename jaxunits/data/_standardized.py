"""Images that a transform has already standardized."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, Num

from .._arguments import as_array, is_real, shown
from .._errors import InputError

Normalized = tuple[Any, Any]
_DEPTH = 5


class Standardizing(NamedTuple):
    """Mean and standard deviation of a transform, one of each channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def is_like(self, normalized: Normalized) -> bool:
        """Whether these are the numbers that the user gives."""
        mean, std = checked(normalized)
        return all(
            np.allclose(np.broadcast_to(given, np.shape(own)), own, rtol=1e-5)
            for given, own in ((mean, self.mean), (std, self.std))
            if len(given) in (1, len(own))
        )


def checked(normalized: Any) -> Standardizing:
    """Mean and standard deviation as the user gives them.

    Raises:
      InputError: these are not two lists of numbers, or a standard deviation is not above 0.
    """
    pair = normalized if isinstance(normalized, tuple | list) and len(normalized) == 2 else ()
    values = [np.atleast_1d(as_array(each, "normalized")) for each in pair]
    numbers = all(
        each.ndim == 1 and each.size and np.issubdtype(each.dtype, np.number) for each in values
    )
    if not values or not numbers or not all(np.isfinite(each).all() for each in values):
        raise InputError(
            f"normalized={shown(normalized)}: give the mean and the standard deviation by which "
            "images are standardized, such as ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))"
        )
    mean, std = (tuple(map(float, each.tolist())) for each in values)
    if min(std) <= 0:
        raise InputError(f"normalized={shown(normalized)}: give standard deviations above 0")
    return Standardizing(mean, std)


def undone(
    image: Num[np.ndarray, "height width channels"], normalized: Normalized, place: str
) -> Float32[np.ndarray, "height width channels"]:
    """An image before it was standardized.

    Raises:
      InputError: there are other numbers of channels.
    """
    mean, std = checked(normalized)
    channels = image.shape[-1]
    if not {len(mean), len(std)} <= {1, channels}:
        raise InputError(
            f"normalized= has {len(mean)} means and {len(std)} standard deviations for {place} of "
            f"{channels} channels: give 1 or {channels} of each"
        )
    scale, shift = np.asarray(std, np.float32), np.asarray(mean, np.float32)
    return image.astype(np.float32) * scale + shift


def standardized_by(source: Any) -> Standardizing | None:
    """What the transform of a data set of torchvision's standardizes by, if it does."""
    for transform in _transforms(source, _DEPTH):
        mean, std = (_numbers(getattr(transform, name, None)) for name in ("mean", "std"))
        if mean and std and (set(mean), set(std)) != ({0.0}, {1.0}):
            return Standardizing(mean, std)
    return None


def _transforms(holder: Any, depth: int) -> Iterator[Any]:
    """All transforms within a data set or a transform."""
    for name in ("transform", "transforms"):
        inner = getattr(holder, name, None)
        for each in inner if isinstance(inner, list | tuple) else [inner]:
            if each is not None and depth:
                yield each
                yield from _transforms(each, depth - 1)


def _numbers(values: Any) -> tuple[float, ...]:
    """Numbers, or a list of them; none of anything else."""
    if hasattr(values, "tolist"):
        values = values.tolist()
    found = list(values) if isinstance(values, list | tuple) else [values]
    return tuple(map(float, found)) if all(map(is_real, found)) else ()
