"""Masks as changes of a few base masks: what the fast path evaluates.

A mask is reached from a base mask by ablating or restoring some units. Whichever way takes the
fewest changes is taken: each mask apart from "all kept" or "all ablated" (single units, small
groups, all but a few), or each from the mask before it (cumulative orders).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int, Int32

# Masks in a row that are reached from one another before the next is evaluated from its whole
# mask: rounding errors of the running sum stay those of so many additions.
ANCHOR = 128


@dataclass(frozen=True)
class Encoding:
    """Masks as chunks of changes.

    Attributes:
      bases: the base masks.
      base: which base each chunk starts from.
      units: the units that change for each mask of a chunk.
      signs: 1 ablates the unit, −1 restores it, 0 is padding.
      running: whether a mask is reached from the one before it in its chunk, or from the base.
      position: where each mask is, counted through the chunks.
    """

    bases: Bool[np.ndarray, "bases units"]
    base: Int32[np.ndarray, " chunks"]
    units: Int32[np.ndarray, "chunks rows changes"]
    signs: Float32[np.ndarray, "chunks rows changes"]
    running: bool
    position: Int32[np.ndarray, " masks"]

    @property
    def changes(self) -> int:
        """The most units that change for a mask."""
        return self.units.shape[2]

    def masks(self) -> Bool[np.ndarray, "masks units"]:
        """The masks again."""
        toggles = np.zeros((*self.units.shape[:2], self.bases.shape[1]), np.float32)
        chunk, row, _ = np.indices(self.units.shape)
        np.add.at(toggles, (chunk, row, self.units), self.signs)
        if self.running:
            toggles = toggles.cumsum(1)
        kept = self.bases[self.base][:, None].astype(np.float32) - toggles
        return kept.reshape(-1, kept.shape[2])[self.position].astype(bool)


def encode(masks: Bool[np.ndarray, "masks units"], rows: int) -> Encoding:
    """The encoding of masks that takes the fewest changes.

    Args:
      masks: true = kept.
      rows: masks that are evaluated together.
    """
    units = masks.shape[1]
    kept = masks.sum(1)
    apart = np.minimum(kept, units - kept).max()
    steps = np.concatenate([[units], (masks[1:] != masks[:-1]).sum(1)])
    running, running_cost = _cheapest_running(steps, units)
    if len(masks) * apart <= running_cost:
        return _apart(masks, rows, max(1, int(apart)))
    breaks = _without_repeats(masks, steps > running)
    return _running(masks, rows, breaks, max(1, running))


def _without_repeats(
    masks: Bool[np.ndarray, "masks units"], breaks: Bool[np.ndarray, " masks"]
) -> Bool[np.ndarray, " masks"]:
    """Where chunks begin, if no unit may change twice in one: changes are from its base."""
    breaks = breaks.copy()
    changed = np.zeros(masks.shape[1], bool)
    for index in range(1, len(masks)):
        now = masks[index] != masks[index - 1]
        breaks[index] |= bool((changed & now).any())
        changed = np.zeros_like(changed) if breaks[index] else changed | now
    return breaks


def _cheapest_running(steps: Int[np.ndarray, " masks"], units: int) -> tuple[int, int]:
    """The most changes a step may take, beyond which a chunk begins, and what all of it costs."""

    def cost(most: int) -> int:
        chunks = int((steps > most).sum()) + len(steps) // ANCHOR
        return len(steps) * most + chunks * units

    candidates = np.unique(steps[steps < units])
    best = min(map(int, candidates), key=cost, default=units)
    return best, cost(best)


def _apart(masks: Bool[np.ndarray, "masks units"], rows: int, changes: int) -> Encoding:
    """Each mask from the nearer of "all kept" and "all ablated"."""
    units = masks.shape[1]
    from_ablated = masks.sum(1) < units - masks.sum(1)
    bases = [base for base in (False, True) if (from_ablated == base).any()]
    groups = [
        (number, np.flatnonzero(from_ablated == base)[start : start + rows])
        for number, base in enumerate(bases)
        for start in range(0, int((from_ablated == base).sum()), rows)
    ]
    encoding = _empty(np.stack([np.full(units, not base) for base in bases]), groups, rows, changes)
    for chunk, (_, members) in enumerate(groups):
        for row, index in enumerate(members):
            changed = np.flatnonzero(masks[index] == from_ablated[index])
            encoding.units[chunk, row, : len(changed)] = changed
            encoding.signs[chunk, row, : len(changed)] = -1 if from_ablated[index] else 1
            encoding.position[index] = chunk * rows + row
    return encoding


def _running(
    masks: Bool[np.ndarray, "masks units"],
    rows: int,
    breaks: Bool[np.ndarray, " masks"],
    changes: int,
) -> Encoding:
    """Each mask from the one before it, in chunks that begin with a base of their own."""
    starts = [*np.flatnonzero(breaks).tolist(), len(masks)]
    longest = int(np.diff(starts).max())
    length = math.ceil(longest / math.ceil(longest / ANCHOR))
    rows = min(rows, length)
    length = math.ceil(length / rows) * rows
    members = list(_pieces(starts, length))
    groups = list(enumerate(members))
    bases = np.stack([masks[indices[0]] for indices in members])
    encoding = _empty(bases, groups, length, changes, running=True)
    for chunk, indices in groups:
        encoding.position[indices] = chunk * length + np.arange(len(indices))
        for row, index in enumerate(indices[1:], start=1):
            changed = np.flatnonzero(masks[index] != masks[index - 1])
            encoding.units[chunk, row, : len(changed)] = changed
            encoding.signs[chunk, row, : len(changed)] = np.where(masks[index, changed], -1, 1)
    return encoding


def _pieces(starts: list[int], length: int) -> Iterator[Int[np.ndarray, ...]]:
    for start, stop in itertools.pairwise(starts):
        for first in range(start, stop, length):
            yield np.arange(first, min(first + length, stop))


def _empty(
    bases: Bool[np.ndarray, "bases units"],
    groups: list[tuple[int, Int[np.ndarray, ...]]],
    rows: int,
    changes: int,
    *,
    running: bool = False,
) -> Encoding:
    """Chunks without changes."""
    shape = (len(groups), rows, changes)
    return Encoding(
        bases=bases,
        base=np.asarray([base for base, _ in groups], np.int32),
        units=np.zeros(shape, np.int32),
        signs=np.zeros(shape, np.float32),
        running=running,
        position=np.zeros(sum(len(members) for _, members in groups), np.int32),
    )
