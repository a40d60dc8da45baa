"""What collectors hold after a pass over images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from .._errors import InputError
from ..data import Dataset
from ..networks import Classifier
from ._collector import Collector
from ._pass import Pass
from ._seen import Seen

States = list[Any]

# Images after which collectors are told: so many that merging costs little beside the pass.
_BLOCK = 512


def gather(
    one_pass: Pass,
    data: Dataset,
    collectors: Sequence[Collector[Any]],
    *,
    start: int,
    stop: int,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, States]:
    """For each layer the collectors' states of the images from `start` to `stop`.

    Args:
      one_pass: what looks at the images.
      data: the images.
      collectors: what is wanted of every layer.
      start: the first image.
      stop: the image after the last.
      progress: called with the images done and in all, after every batch.

    Raises:
      InputError: an activation, probability or derivative is not a number.
    """
    found: dict[str, States] = {}
    block: list[dict[str, Seen]] = []
    waiting = done = 0
    for seen in one_pass.seen(data, start, stop):
        block.append(seen)
        images = len(next(iter(seen.values())).image)
        waiting, done = waiting + images, done + images
        if waiting >= _BLOCK or done == stop - start:
            _tell(found, block, collectors, one_pass.network, data)
            block, waiting = [], 0
        if progress is not None:
            progress(done, stop - start)
    return found


def merge(collectors: Sequence[Collector[Any]], one: States, other: States) -> States:
    """States of the images of both."""
    return [
        collector.merge(left, right)
        for collector, left, right in zip(collectors, one, other, strict=True)
    ]


def _tell(
    found: dict[str, States],
    block: Sequence[dict[str, Seen]],
    collectors: Sequence[Collector[Any]],
    network: Classifier,
    data: Dataset,
) -> None:
    """Add batches to the states."""
    for name in block[0]:
        seen = jax.tree.map(_joined, *(batch[name] for batch in block))
        _check_finite(seen, name, network, data)
        new = [collector.observe(seen) for collector in collectors]
        found[name] = merge(collectors, found[name], new) if name in found else new


def _joined(*parts: np.ndarray) -> np.ndarray:
    return np.concatenate(parts)


def _check_finite(seen: Seen, layer: str, network: Classifier, data: Dataset) -> None:
    units = seen.units
    for kind, values in (
        ("activation", units.activation),
        ("derivative", units.gradient),
        ("probability", seen.probability),
    ):
        if values is not None and not np.isfinite(values).all():
            row, place = np.argwhere(~np.isfinite(values))[0]
            of = "class" if kind == "probability" else f"layer {layer!r}, unit"
            raise InputError(
                f"{kind} of {of} {place} of network {network.name!r} on image {seen.image[row]} of "
                f"data {data.name!r} is NaN or infinite: check the network and its preprocessing"
            )
