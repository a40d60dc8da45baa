"""Where an accuracy curve peaks, and how steeply it falls then (Zhao and Zhang 2021, §3.4)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ._shares import checked_shares

_HIGH, _LOW = 0.9, 0.1


class PhaseTransition(NamedTuple):
    """The peak of a curve of cumulative ablation, and its fall behind the peak.

    Attributes:
      peak: the largest accuracy.
      peak_step: the number of ablated units there; the largest if it is reached more than once.
      width: the number of units over which accuracy falls from 90 % to 10 % of the peak; None if it
        does not fall to 10 %.
      end_step: the number of ablated units after the fall; None in the same case.
    """

    peak: float
    peak_step: int
    width: int | None
    end_step: int | None


def phase_transition(accuracy: Any) -> PhaseTransition:
    """Phase transition of ablation with the least important unit first (Zhao and Zhang 2021, §3.4).

    Args:
      accuracy: of a class or over all of them, as shares of images, by ablated units from none on,
        `[steps]`.

    Returns:
      Where the curve peaks and over how many units it falls.

    Raises:
      InputError: the curve is empty or of another shape, or a number is not a share from 0 to 1.
    """
    curve = checked_shares(accuracy, "accuracy", "[steps]")
    peak = float(curve.max())
    peak_step = int(np.flatnonzero(curve == peak)[-1])
    low = np.flatnonzero(curve[peak_step:] <= _LOW * peak)
    if peak == 0 or not len(low):
        return PhaseTransition(peak, peak_step, None, None)
    end = peak_step + int(low[0])
    start = int(np.flatnonzero(curve[:end] >= _HIGH * peak)[-1])
    return PhaseTransition(peak, peak_step, end - start, end)
