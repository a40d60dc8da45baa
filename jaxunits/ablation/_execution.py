"""How masks are evaluated: nothing here changes what is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from .. import execution


class Options(execution.Options, total=False):
    """The keywords of `Execution`, which every sweep takes."""

    method: str
    masks_at_once: int | None


@dataclass(frozen=True)
class Execution(execution.Execution):
    """How masks are evaluated, in addition to the options of `ju.Execution`.

    Precision can also be `"checked"`: bfloat16 first, and float32 again for every image whose two
    best logits are, under some mask, as close as bfloat16 can be wrong. The bound is four times the
    largest error of a margin under all masks on the first batch of each piece, and grows where a
    repeated image exceeds it. Predictions are then those of float32; losses of images that were not
    repeated are bfloat16's. The share repeated is the attribute `repeated_share`. If a device
    runs out of memory, first the masks and then the images per batch are halved.

    Attributes:
      method: `"fast"` computes what a changed unit reaches behind the layer; `"reference"` computes
        all that lies behind it under every mask, for any masks; `"auto"` uses the one with fewer
        multiply-adds and says why.
      masks_at_once: masks evaluated together, at most; by default as many as the memory allows, on
        CPUs one at a time where a convolution follows (two on the reference path), otherwise as
        many as fill a matrix product.
    """

    method: str = "auto"
    masks_at_once: int | None = None

    choices: ClassVar[Mapping[str, Sequence[str]]] = {
        "method": ("auto", "fast", "reference"),
        "precision": ("float32", "tf32", "bfloat16", "checked"),
    }
    numbers: ClassVar[Sequence[str]] = (
        "batch_size",
        "masks_at_once",
        "max_memory",
        "images_per_piece",
    )
