"""Sentences at the head of a section: how numbers are said, and which layers come first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import xarray as xr
from jaxtyping import Float

import jaxunits as ju

MOST = 5
"""Layers that have a sentence; of networks with more, those where most was found."""

DISCOVERIES = 0.05
"""The share of false ones that is expected among what is called beyond chance."""


def foremost(sentences: Iterable[tuple[float, str]], by: str) -> list[str]:
    """The sentences of all layers; of many only the most important, and first which these are.

    Args:
      sentences: by layer how important its sentence is, and the sentence; NaN comes last.
      by: what importance is, such as `largest drops`.
    """
    found = list(sentences)
    if len(found) <= MOST:
        return [sentence for _, sentence in found]
    order = np.argsort([-importance for importance, _ in found], kind="stable")
    chosen = sorted(order[:MOST])
    return [f"The {MOST} of {len(found)} layers with the {by}:", *(found[k][1] for k in chosen)]


def points(share: float) -> str:
    """A share in percentage points, without a zero behind the point: `20`, `-0.5`."""
    # Adding 0 takes the sign from what rounds to 0.
    return f"{round(100 * share, 1) + 0:.1f}".removesuffix(".0")


def counted(number: int, what: str) -> str:
    """A number of things: `1 unit`, `4 units`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def listed(texts: Sequence[str]) -> str:
    """Several things in a sentence: `a, b and c`."""
    return " and ".join(filter(None, (", ".join(texts[:-1]), *texts[-1:])))


def attribute_label(name: object) -> str:
    """An attribute as texts and figures call it."""
    written = {"l1": "L1", "apoz": "APoZ", "taylor": "Taylor"}
    return " ".join(written.get(word, word) for word in str(name).split("_"))


def p_value(p: float) -> str:
    """A p as it stands in brackets."""
    return f"p = {p:.2g}" if p >= 1e-4 else "p < 0.0001"


def discoveries(p_values: Float[np.ndarray, " tests"]) -> int:
    """How many of some tests are discoveries, 5 % of them expected to be false.

    NaN is no test.
    """
    return int((ju.statistics.false_discovery_rates(p_values) <= DISCOVERIES).sum())


def drop_with_interval(sweep: xr.Dataset, unit: int, name: str) -> str:
    """What a class loses without a unit, in points, and the 95 % interval: `20 points [13, 29]`.

    Args:
      sweep: over the units of a layer.
      unit: a unit of the layer.
      name: the class.
    """
    pair = sweep.sel({"unit": unit, "class": name})
    broken, images = int(pair.broken), int(pair.n_images)
    repaired = int(pair.correct) - int(pair.correct_before) + broken
    low, high = ju.statistics.paired_interval(broken, repaired, images)
    drop = (broken - repaired) / images
    return f"{points(drop)} points [{points(float(low))}, {points(float(high))}]"
