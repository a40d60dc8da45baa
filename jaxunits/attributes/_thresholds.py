"""The value that only a share of very many values exceed, exactly and in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, Int64, UInt32

from ..execution import Reducer

Values = Float32[np.ndarray, "units positions"]

# Bits of a value that one pass settles, the most first: histograms have 2^bits numbers per unit.
_DIGITS = (16, 11, 8)


# From what one pass keeps of all values, which come in pieces, to its state.
Pass = Callable[[Reducer], Any]


class Largest(NamedTuple):
    """The largest values of each unit, in no order.

    Attributes:
      values: all of them where there are fewer than asked for.
    """

    values: Float32[np.ndarray, "units largest"]


class Histogram(NamedTuple):
    """How many of the values that begin with the known bits continue with each digit.

    Attributes:
      counts: too small where a value is surely smaller than the one sought.
    """

    counts: Int64[np.ndarray, "units digits"]


def upper_quantile(
    one_pass: Pass, units: int, positions: int, share: float, max_memory: int
) -> Float32[np.ndarray, " units"]:
    """The smallest of a unit's values that at most a share of all of them exceed.

    With k = ⌊share · positions⌋ it is the (k + 1)-th largest: NumPy's
    `quantile(values, 1 - share, method="inverted_cdf")`, an order statistic and exact, whatever the
    order and the pieces in which the values come. Where the k + 1 largest values of every unit fit
    into the memory they are kept, in one pass. Otherwise it is found by its bits, the leading ones
    first (radix selection): every pass counts, among the values that begin with the bits known so
    far, those that continue with each of the possible next ones. Two passes settle all 32 bits with
    1 MiB per unit, and four passes with 4 KiB, however many values there are.

    Args:
      one_pass: returns the state of all values, each time it is called.
      units: how many units there are.
      positions: values per unit.
      share: the largest share of the values above the result, from 0 to 1.
      max_memory: bytes to take, apart from the pieces.
    """
    above = math.floor(share * positions)
    if _fits(units, above, max_memory):
        kept: Largest = one_pass(largest(above + 1))
        return kept.values.min(1)
    known, left, settled = np.zeros(units, np.uint32), np.full(units, above, np.int64), 0
    while settled < 32:
        bits = min(_digit_bits(units, max_memory), 32 - settled)
        found: Histogram = one_pass(_histograms(known, settled, bits, left))
        digit, left = _locate(found.counts, left)
        known = (known << np.uint32(bits)) | digit
        settled += bits
    return _values(known)


def passes(units: int, positions: int, share: float, max_memory: int) -> int:
    """How many passes `upper_quantile` will take."""
    if _fits(units, math.floor(share * positions), max_memory):
        return 1
    return math.ceil(32 / _digit_bits(units, max_memory))


def largest(count: int) -> Reducer:
    """Keeps so many of the largest values of each unit."""

    def observe(stream: Iterator[Values]) -> Largest:
        pending: list[Values] = []
        for values in stream:
            pending.append(values)
            if sum(piece.shape[1] for piece in pending) > 2 * count:
                pending = [_largest(pending, count)]
        return Largest(_largest(pending, count))

    def merge(one: Largest, other: Largest) -> Largest:
        return Largest(_largest([one.values, other.values], count))

    return Reducer(f"largest {count}", Largest, observe, merge)


def _fits(units: int, above: int, max_memory: int) -> bool:
    # As many wait as are kept, both lie in a new array, and partition makes another.
    return 6 * 4 * units * (above + 1) <= max_memory


def _digit_bits(units: int, max_memory: int) -> int:
    # The histograms, and their sums from above.
    return next((bits for bits in _DIGITS if 2 * 8 * units * 2**bits <= max_memory), _DIGITS[-1])


def _largest(
    pieces: Sequence[Float32[np.ndarray, "units _"]], count: int
) -> Float32[np.ndarray, "units largest"]:
    """The largest values of each unit, in no order; all of them where there are fewer."""
    values = np.concatenate(pieces, 1)
    if values.shape[1] <= count:
        return values
    return np.partition(values, values.shape[1] - count, axis=1)[:, -count:].copy()


def _histograms(
    known: UInt32[np.ndarray, " units"], settled: int, bits: int, left: Int64[np.ndarray, " units"]
) -> Reducer:
    """Counts, among the values that begin with the known bits, the digits that follow.

    What is surely too small is left out: the digit sought only rises as values come.
    """
    shape, rest = (len(known), 2**bits), 32 - settled - bits
    first, highest = _range(known, settled)

    def observe(stream: Iterator[Values]) -> Histogram:
        lowest, seen, next_look = first, 0, 2 * int(left.max()) + 2
        counts = np.zeros(shape, np.int64)
        for values in stream:
            near = values >= lowest[:, None]
            near &= values <= highest[:, None]
            # Much faster than np.nonzero along two axes.
            place = np.flatnonzero(near)
            unit = place // values.shape[1]
            keys = _keys(values.reshape(-1)[place])
            inside = (keys >> np.uint32(32 - settled) if settled else 0) == known[unit]
            digits = (keys[inside] >> np.uint32(rest)) & np.uint32(2**bits - 1)
            np.add.at(counts.reshape(-1), unit[inside] * 2**bits + digits, 1)
            seen += values.shape[1]
            if seen >= next_look:
                digit, _ = _locate(counts, left)
                lowest, _ = _range((known << np.uint32(bits)) | digit, settled + bits)
                next_look = 2 * seen
        return Histogram(counts)

    return Reducer(f"bits {settled} to {settled + bits}", Histogram, observe)


def _locate(
    histogram: Int64[np.ndarray, "units digits"], left: Int64[np.ndarray, " units"]
) -> tuple[UInt32[np.ndarray, " units"], Int64[np.ndarray, " units"]]:
    """The largest digit such that more than `left` values have it or a larger one.

    Returns:
      The digit, 0 if there are too few values yet, and how many of `left` remain within it.
    """
    from_above = np.cumsum(histogram[:, ::-1], 1)[:, ::-1]
    enough = from_above > left[:, None]
    digit = np.maximum(enough.sum(1) - 1, 0)
    own = np.take_along_axis(histogram, digit[:, None], 1)[:, 0]
    larger = np.take_along_axis(from_above, digit[:, None], 1)[:, 0] - own
    return digit.astype(np.uint32), left - larger


def _range(
    known: UInt32[np.ndarray, " units"], settled: int
) -> tuple[Float32[np.ndarray, " units"], Float32[np.ndarray, " units"]]:
    """The smallest and largest value that begins with the known bits."""
    if settled == 0:
        return np.full(len(known), -np.inf, np.float32), np.full(len(known), np.inf, np.float32)
    rest = np.uint32(32 - settled)
    first = (known << rest) if settled < 32 else known
    last = first | np.uint32(2 ** (32 - settled) - 1)
    # Patterns beyond the infinities are not numbers.
    return (
        np.nan_to_num(_values(first), nan=-np.inf, posinf=np.inf, neginf=-np.inf),
        np.nan_to_num(_values(last), nan=np.inf, posinf=np.inf, neginf=-np.inf),
    )


def _keys(values: Float32[np.ndarray, " values"]) -> UInt32[np.ndarray, " values"]:
    """Numbers in the order of the values; -0 and 0 have the same."""
    bits = (values + np.float32(0)).view(np.uint32)
    negative = bits >> np.uint32(31) == 1
    return np.where(negative, ~bits, bits | np.uint32(2**31))


def _values(keys: UInt32[np.ndarray, " units"]) -> Float32[np.ndarray, " units"]:
    """The values of keys."""
    positive = keys >> np.uint32(31) == 1
    return np.where(positive, keys & np.uint32(2**31 - 1), ~keys).view(np.float32)
