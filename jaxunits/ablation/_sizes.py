"""How many images and masks go together before the compiler has told what they take."""

from __future__ import annotations

import math

from ._execution import Execution
from ._work import Work

# Rows of a matrix product that make up for reading its weights on a CPU (measured: AlexNet's rest
# takes 1.84, 1.67 and 1.62 s with 256, 512 and 1024 rows).
_CPU_ROWS = 512


def batch_of(execution: Execution, images: int) -> int:
    """Images a batch and device."""
    wanted = execution.batch_size or (32 if execution.on_cpu else 256)
    return min(wanted, math.ceil(images / len(execution.places)))


# With one mask at a time XLA computes the layers before the mask anew for every mask of some
# networks (VGG16, 16 masks of conv5_3: 13.9 s against 1.2 s for two at a time).
_CPU_REFERENCE = 2


def masks_at_once(execution: Execution, work: Work, batch: int, *, fast: bool) -> int:
    """Masks evaluated together.

    A merged batch of masks and images leaves the caches of a CPU where convolutions follow, and
    fills its matrix products where dense stages do.
    """
    wanted = execution.masks_at_once or work.masks
    if execution.masks_at_once is None and execution.on_cpu:
        behind = math.ceil(_CPU_ROWS / batch) if work.dense and work.each else 1
        wanted = behind if fast else _CPU_REFERENCE
    # Two live arrays of the largest kind in half of the budget; the compiler has the last word.
    fitting = execution.budget // (4 * work.largest * batch)
    most = max(1, min(wanted, fitting, work.masks))
    # Chunks as even as can be, so that little of the last one is padding.
    return math.ceil(work.masks / math.ceil(work.masks / most))
