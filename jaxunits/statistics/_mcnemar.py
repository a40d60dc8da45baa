"""Whether a drop is more than chance."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy
from jaxtyping import Float64

from ._intervals import checked_counts


def damage_p_values(broken: Any, repaired: Any) -> Float64[np.ndarray, "*shape"]:
    """The exact one-sided McNemar test that more images break than are repaired.

    Under no effect each image that changes is as likely to break as to be repaired. 1 where none
    changes.

    Args:
      broken: images that are right before and wrong after.
      repaired: images that are wrong before and right after.

    Returns:
      `[*shape]`, p-values from 0 to 1.

    Raises:
      InputError: a count is negative or not a number, or shapes do not match.
    """
    b, c, _ = checked_counts(broken, repaired, np.inf)
    # The upper tail of the binomial distribution; scipy.stats takes half a second to import.
    return np.where(b > 0, scipy.special.betainc(b, c + 1, 0.5), 1.0)
