"""Concept alignment of units: network dissection (paper A §2.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float32

from .._arguments import check_function_or_none, check_real, check_whole
from .._errors import InputError, unknown_name
from ..data.concepts import Concepts
from ..networks import Classifier, check_classifier
from ._alignment import Alignment
from ._concept_passes import Counts, Passes
from ._maps import UnitMaps
from ._thresholds import passes, upper_quantile


class _Convention(NamedTuple):
    """The options of a published method.

    Attributes:
      quantile: the share above the threshold.
      upsampled: whether thresholds come from the maps on the grid, or as the layer gives them.
      grid: as an argument of `dissect`; the others likewise.
    """

    quantile: float
    upsampled: bool
    grid: tuple[int, int] | None = None
    alignment: str = "corners"
    outside: str = "edge"


_CONVENTIONS = {
    "netdissect": _Convention(0.005, upsampled=False),
    "dissect2020": _Convention(0.01, upsampled=True),
    "dissect2020_code": _Convention(0.01, True, (56, 56), "receptive_field", "zero"),
}


def dissect(
    network: Classifier,
    layer: str,
    concepts: Concepts,
    *,
    convention: str = "netdissect",
    quantile: float | None = None,
    detector_iou: float = 0.04,
    grid: tuple[int, int] | None = None,
    alignment: str | tuple[float, float] | None = None,
    outside: str | None = None,
    batch_size: int = 32,
    max_memory: int = 2**30,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """How well each unit's activation coincides with each visual concept (Bau et al. 2017).

    The unit's threshold is the value that a share `quantile` of its activations exceeds, over all
    positions of all images: exactly the (⌊quantile · positions⌋ + 1)-th largest. Its map is
    interpolated bilinearly to a grid and is active where it exceeds the threshold. IoU is the
    number of active points with the concept over that of points with either, both **over all
    images**; 0 where there are none. The mask is cut as the network's preprocessing cuts the image
    and resampled to the grid by the nearest pixel, exactly as Pillow's `NEAREST` does.

    | convention | quantile | threshold from | grid | alignment | outside |
    | --- | --- | --- | --- | --- | --- |
    | `"netdissect"` | 0.005 | the maps as the layer gives them | the image's | corners | edge |
    | `"dissect2020"` | 0.01 | the maps on the grid | the image's | corners | edge |
    | `"dissect2020_code"` | 0.01 | the maps on the grid | 56×56 | receptive_field | zero |

    The first is Bau et al. 2017's, the second what Bau et al. 2020 describe, the third what their
    published code does where it is given a network's convolutions and pools, as for AlexNet; it
    estimates quantiles, which are exact here, and aligns VGG16 and ResNet152 by corners. The
    original NetDissect aligns maps by receptive fields. NetDissect-Lite counts a unit's active
    pixels only on images with a labelled pixel of the concept's category, and counts a pixel twice
    to which two masks give one concept: its IoU is another number, and larger for rare categories.
    A dense layer's unit has one value an image: it is active on the whole image or nowhere.

    Images are read once a pass: once to count, and before that once for the thresholds, or two to
    four times where their values exceed the memory. What is held does not grow with their number.

    Args:
      network: the network.
      layer: one of its layers.
      concepts: images with masks, from `ju.data.concepts`.
      convention: one of the above.
      quantile: the share above the threshold, in place of the convention's.
      detector_iou: a unit whose largest IoU exceeds it is a detector.
      grid: rows and columns of the points at which maps and masks are compared, covering what the
        network sees, in place of the convention's. NetDissect's is (112, 112).
      alignment: where a map lies on the image, in place of the convention's. `"corners"`: map and
        grid cover the same area, and pixels are areas (`jax.image.resize`). `"receptive_field"`:
        each position of the map lies at the centre of its receptive field, and the grid's outermost
        points on the centres of the image's outermost pixels. For others
        give `(scale, offset)`, in pixels: between the centres of neighbours, and from the centre of
        the first pixel to that of the first position (16 and 15 for AlexNet's conv5).
      outside: what a map is beyond the centres of its outermost positions, in place of the
        convention's: `"edge"`, their values go on, or `"zero"`, they fall to 0 within one position.
      batch_size: images a batch.
      max_memory: bytes that upsampled maps and what is kept for thresholds may take, at most a half
        each, beside the network's own.
      progress: called with the images done and the images in all, over all passes, after a batch.

    Returns:
      A Dataset with the dimensions `unit` and `concept` (with its `category`): `iou`, and the
      pixels behind it, `intersection` (of both), `activated` (of the unit) and `labelled` (of the
      concept); by unit `threshold`, `alignment` (the largest IoU), `best_concept` (the first with
      it; empty where it is 0) and `detector`.

    Raises:
      InputError: the layer does not exist or has no maps, the network does not show its
        activations, these are not finite, an argument is out of range, no pixel of a mask has a
        concept, or the network does not tell the receptive fields by which maps shall be aligned.
    """
    check_function_or_none(progress=progress)
    check_classifier(network)
    if not isinstance(convention, str) or convention not in _CONVENTIONS:
        raise unknown_name("convention", convention, _CONVENTIONS, "dissect")
    usual = _CONVENTIONS[convention]
    share = usual.quantile if quantile is None else quantile
    _check(share, detector_iou, batch_size, max_memory)
    if not isinstance(concepts, Concepts):
        raise InputError(
            f"concepts of type {type(concepts).__name__}: give what ju.data.concepts.load or "
            "ju.data.concepts.computed returns"
        )
    aligned = Alignment(
        usual.grid if grid is None else grid,
        usual.alignment if alignment is None else alignment,
        usual.outside if outside is None else outside,
    )
    maps = UnitMaps.of(network, layer)
    upsampling = aligned.upsampling(maps)
    reading = Passes(maps, concepts, upsampling, min(batch_size, len(concepts)), max_memory // 2)
    stream, map_size = reading.values, maps.size
    if usual.upsampled:
        stream, map_size = reading.upsampled_values, reading.size
    settings = maps.units, len(concepts) * map_size[0] * map_size[1], share, max_memory // 2
    report = _report(progress, len(concepts), passes(*settings) + 1)
    thresholds = upper_quantile(lambda: stream(report), *settings)
    counts = reading.counts(thresholds, report)
    if not counts.labelled.any():
        raise InputError(
            f"no image of data {concepts.name!r} has a labelled concept where the network "
            f"{network.name!r} sees it: check masks and preprocessing"
        )
    return _result(counts, thresholds, concepts, detector_iou).assign_attrs(
        network=network.name,
        layer=layer,
        convention=convention,
        quantile=share,
        detector_iou=detector_iou,
        grid_rows=reading.size[0],
        grid_columns=reading.size[1],
        map_alignment=aligned.name,
        outside=aligned.outside,
        images=len(concepts),
        data=concepts.name,
        split=concepts.split,
        data_fingerprint=concepts.fingerprint,
    )


def _check(share: float, detector_iou: float, batch_size: int, max_memory: int) -> None:
    """Refuse numbers that cannot be."""
    check_real(quantile=share, detector_iou=detector_iou)
    check_whole(batch_size=batch_size, max_memory=max_memory)
    if not 0 < share < 1 or not 0 <= detector_iou < 1:
        raise InputError(
            f"quantile={share}, detector_iou={detector_iou}: give a share between 0 and 1, and an "
            "IoU of at least 0 and below 1"
        )
    if batch_size < 1 or max_memory < 1:
        raise InputError(f"batch_size={batch_size}, max_memory={max_memory}: give at least 1")


def _report(
    progress: Callable[[int, int], None] | None, images: int, passes: int
) -> Callable[[int], None]:
    """Adds up the images of all passes."""
    done = 0

    def report(batch: int) -> None:
        nonlocal done
        done += batch
        if progress is not None:
            progress(done, images * passes)

    return report


def _result(
    counts: Counts,
    thresholds: Float32[np.ndarray, " units"],
    concepts: Concepts,
    detector_iou: float,
) -> xr.Dataset:
    union = counts.activated[:, None] + counts.labelled - counts.intersection
    iou = counts.intersection / np.maximum(union, 1)
    alignment = iou.max(1)
    names = np.asarray(concepts.names)
    return xr.Dataset(
        {
            "iou": (("unit", "concept"), iou),
            "intersection": (("unit", "concept"), counts.intersection),
            "activated": ("unit", counts.activated),
            "labelled": ("concept", counts.labelled),
            "threshold": ("unit", thresholds),
            "alignment": ("unit", alignment),
            "best_concept": ("unit", np.where(alignment > 0, names[iou.argmax(1)], "")),
            "detector": ("unit", alignment > detector_iou),
        },
        coords={
            "unit": np.arange(len(iou)),
            "concept": names,
            "category": ("concept", np.asarray(concepts.categories)),
        },
    )
