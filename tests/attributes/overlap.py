"""Network dissection by brute force: maps laid over masks with SciPy, unit by unit."""

from typing import NamedTuple

import numpy as np
from scipy import ndimage


class Overlap(NamedTuple):
    """What is counted, and the maps behind it, `[units, images, rows, columns]` on the grid."""

    thresholds: np.ndarray
    activated: np.ndarray
    labeled: np.ndarray
    intersection: np.ndarray
    iou: np.ndarray
    large: np.ndarray


def centers_by_corners(positions, points):
    """Where the points of a grid lie among a map's positions, if both cover the same area."""
    return (np.arange(points) + 0.5) * positions / points - 0.5


def masks_of(concepts, step=1):
    """`[concepts, images, rows, columns]`, of every so manieth pixel, in the middle of its area."""
    pixels = slice(step // 2, None, step)
    return np.asarray(
        [
            [concepts[image].mask(concept)[pixels, pixels] for image in range(len(concepts))]
            for concept in range(len(concepts.names))
        ]
    )


def interpolated(maps, centers, mode):
    """Maps on the grid, `[units, images, rows, columns]`."""
    points = np.meshgrid(centers, centers, indexing="ij")
    return np.asarray(
        [
            [ndimage.map_coordinates(image, points, order=1, mode=mode) for image in of_unit]
            for of_unit in np.moveaxis(maps, 3, 0)
        ]
    )


def overlap(maps, masks, share, *, centers, from_upsampled, mode="nearest"):
    """Thresholds and counts, unit by unit and image by image.

    Args:
      maps: activations, `[images, rows, columns, units]`.
      masks: of concepts, `[concepts, images, rows, columns]`.
      share: of the values, above the threshold.
      centers: where the grid's points lie among the maps' positions, along either axis.
      from_upsampled: whether the threshold is that of values on the grid.
      mode: SciPy's, beyond the outermost positions.
    """
    large = interpolated(maps, centers, mode)
    values = large if from_upsampled else np.moveaxis(maps, 3, 0)
    thresholds = np.quantile(
        values.reshape(len(large), -1), 1 - share, axis=1, method="inverted_cdf"
    )
    active = large > thresholds[:, None, None, None]
    both = np.asarray([[(one & mask).sum() for mask in masks] for one in active])
    either = np.asarray([[(one | mask).sum() for mask in masks] for one in active])
    return Overlap(
        thresholds,
        active.sum((1, 2, 3)),
        masks.sum((1, 2, 3)),
        both,
        both / np.maximum(either, 1),
        large,
    )
