"""Concept alignment of units: network dissection (Zhou et al. 2018, §2.2)."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import NamedTuple, Unpack

import numpy as np
import xarray as xr
from jaxtyping import Float32

from .._arguments import check_real, check_whole, from_options
from .._errors import InputError, unknown_name
from ..data.concepts import Concepts
from ..execution import (
    Execution,
    OnePass,
    Options,
    Progress,
    check_call,
    in_passes,
    provenance,
)
from ..networks import Classifier
from ..networks._checks import check_parameters
from ._alignment import Alignment
from ._concept_passes import Counts, Passes
from ._maps import UnitMaps
from ._thresholds import passes, upper_quantile


class _Convention(NamedTuple):
    """The options of a published method.

    Attributes:
      quantile: the share above the threshold.
      upsampled: whether thresholds come from the maps on the grid, or as the layer gives them.
      grid: as the argument of `dissect`; so are the others.
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
    grid_memory: int = 2**30,
    file: str | Path | None = None,
    progress: Progress | bool | None = None,
    **options: Unpack[Options],
) -> xr.Dataset:
    """How well each unit's activation coincides with each visual concept (Bau et al. 2017).

    The attribute *concept alignment* of Zhou et al. 2018, §2.2.

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
    pixels only on images with a labeled pixel of the concept's category, and counts a pixel twice
    to which two masks give one concept: its IoU is a different number, larger for rare categories.
    A dense layer's unit has one value per image: it is active on the whole image or nowhere.

    Images are read once per pass: once to count, and before that once for the thresholds, or two to
    four times if the values exceed the memory. Memory does not grow with the number of images.

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
        each position of the map lies at the center of its receptive field, and the grid's outermost
        points on the centers of the image's outermost pixels. For others
        give `(scale, offset)`, in pixels: between the centers of neighbors, and from the center of
        the first pixel to that of the first position (16 and 15 for AlexNet's conv5).
      outside: what a map is beyond the centers of its outermost positions, in place of the
        convention's: `"edge"`, the edge values, or `"zero"`, falling to 0 within one position.
      grid_memory: bytes that upsampled maps and the values kept for thresholds may take, at most
        half each, in addition to the network's.
      file: where the result is kept (netCDF), as in `ju.ablation.sweep`.
      progress: called with the images done and the total over all passes, after every batch;
        False for silence, None for a bar in a terminal or notebook.
      **options: execution options, see `ju.Execution`.

    Returns:
      A Dataset with the dimensions `unit` and `concept` (with its `category`): `iou`, and the
      pixels behind it, `intersection` (of both), `activated` (of the unit) and `labeled` (of the
      concept); by unit `threshold`, `alignment` (the largest IoU), `best_concept` (the first with
      it; empty where it is 0) and `detector`.

    Raises:
      InputError: the layer does not exist or has no maps, the network does not show its
        activations, these are not finite, an argument is out of range, no pixel of a mask has a
        concept, or the receptive fields needed to align the maps are not available.
    """
    check_call(network, file, progress)
    execution = from_options(Execution, options, dissect)
    if not isinstance(convention, str) or convention not in _CONVENTIONS:
        raise unknown_name("convention", convention, _CONVENTIONS, "dissect")
    usual = _CONVENTIONS[convention]
    share = usual.quantile if quantile is None else quantile
    _check(share, detector_iou, grid_memory)
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
    check_parameters(network)
    upsampling = aligned.upsampling(maps)
    rows, columns = len(upsampling.down), len(upsampling.across)
    settings = {
        **provenance("dissect", network, maps.layer, concepts, execution),
        "convention": convention,
        "quantile": str(share),
        "detector_iou": str(detector_iou),
        "grid": f"{rows}, {columns}",
        "map_alignment": aligned.name,
        "outside": aligned.outside,
    }
    height, width = (rows, columns) if usual.upsampled else maps.size
    values = maps.units, len(concepts) * height * width, share, grid_memory // 2
    over = Passes(maps, concepts, upsampling, usual.upsampled, grid_memory // 2, execution)

    def measured(one_pass: OnePass) -> xr.Dataset:
        thresholds = upper_quantile(functools.partial(over.values, one_pass), *values)
        counts = over.counts(one_pass, thresholds)
        if not counts.labeled.any():
            raise InputError(
                f"no image of data {concepts.name!r} has a labeled concept where the network "
                f"{network.name!r} sees it: check masks and preprocessing"
            )
        return _result(counts, thresholds, concepts, detector_iou)

    return in_passes(
        *(maps.layer, settings, execution, measured),
        most=passes(*values) + 1,
        file=file,
        progress=progress,
        title=f"concepts of {maps.layer}",
    )


def _check(share: float, detector_iou: float, grid_memory: int) -> None:
    """Refuse numbers out of range."""
    check_real(quantile=share, detector_iou=detector_iou)
    check_whole(grid_memory=grid_memory)
    if not 0 < share < 1 or not 0 <= detector_iou < 1:
        raise InputError(
            f"quantile={share}, detector_iou={detector_iou}: give a share between 0 and 1, and an "
            "IoU of at least 0 and below 1"
        )
    if grid_memory < 1:
        raise InputError(f"grid_memory={grid_memory}: give at least 1")


def _result(
    counts: Counts,
    thresholds: Float32[np.ndarray, " units"],
    concepts: Concepts,
    detector_iou: float,
) -> xr.Dataset:
    union = counts.activated[:, None] + counts.labeled - counts.intersection
    iou = counts.intersection / np.maximum(union, 1)
    alignment = iou.max(1)
    names = np.asarray(concepts.names)
    return xr.Dataset(
        {
            "iou": (("unit", "concept"), iou),
            "intersection": (("unit", "concept"), counts.intersection),
            "activated": ("unit", counts.activated),
            "labeled": ("concept", counts.labeled),
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
