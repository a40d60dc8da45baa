"""Cases by number, and how each ends: whole, refused or failed."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import gc
import os
import resource
import shutil
import sys
import time
import traceback
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import jax
import numpy as np

import jaxunits as ju

# Of the processor, since others may use it too; and of the clock for what waits for ever.
MOST_SECONDS = 10
_HANGS = 300
MOST_MEMORY = 1_500_000_000
_ENDS = ("whole", "refused", "failed")
# Compiled programs pile up; they are dropped when the process has grown by this much.
_GROWTH = 700_000_000


class WrongError(AssertionError):
    """What was damaged, or should not have been taken, was used as if nothing were wrong."""


@dataclass(frozen=True)
class Target:
    """Something to feed with cases.

    Attributes:
      name: of the format or of the functions.
      attempt: makes a case out of random numbers in an empty folder and uses it. It ends well if
        what it got is right, and with `InputError` if it was refused.
    """

    name: str
    attempt: Callable[[np.random.Generator, Path], object]


@dataclass
class Outcome:
    """What became of the cases.

    Attributes:
      counts: how many of each target ended in which way.
      failures: the target, the number of the case, and how it ended.
    """

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[tuple[str, int, str]] = field(default_factory=list)

    def row(self, target: str) -> list[int]:
        """How many cases of a target ended whole, refused and failed."""
        return [self.counts[target, end] for end in _ENDS]


def run(targets: Iterable[Target], numbers: Iterable[int], seed: int, folder: Path) -> Outcome:
    """Try every target with every number; the folders of cases that fail are left.

    A case depends on the seed, its target and its number alone.
    """
    outcome, targets = Outcome(), list(targets)
    allowed = _resident() + _GROWTH
    for number in numbers:
        for target in targets:
            random = np.random.default_rng((seed, zlib.crc32(target.name.encode()), number))
            place = folder / f"{target.name.replace(' ', '-')}-{number}"
            place.mkdir(parents=True)
            end, reason = _ending(target, random, place)
            outcome.counts[target.name, end] += 1
            if end == "failed":
                outcome.failures.append((target.name, number, reason))
            else:
                shutil.rmtree(place)
        if _resident() > allowed:
            jax.clear_caches()
            gc.collect()
            with contextlib.suppress(OSError, AttributeError):
                ctypes.CDLL(None).malloc_trim(0)
            allowed = max(allowed, _resident() + _GROWTH // 2)
    return outcome


def _ending(target: Target, random: np.random.Generator, place: Path) -> tuple[str, str]:
    """How a case ended, and why where it failed."""
    start, memory, peak = time.process_time(), _resident(), _peak()
    # A hang inside a library cannot be interrupted; this ends the process and says where it was.
    faulthandler.dump_traceback_later(_HANGS, exit=True, file=sys.__stderr__)
    end, reason = "whole", ""
    try:
        target.attempt(random, place)
    except ju.InputError:
        end = "refused"
    except Exception as error:  # noqa: BLE001
        end, reason = "failed", "".join(traceback.format_exception(error, limit=-4))
    finally:
        faulthandler.cancel_dump_traceback_later()
    seconds = time.process_time() - start
    if seconds > MOST_SECONDS:
        return "failed", f"took {seconds:.0f} s of the processor"
    if _peak() > max(peak, memory + MOST_MEMORY):
        return "failed", f"took {(_peak() - memory) / 1e6:,.0f} MB"
    return end, reason


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _resident() -> int:
    """Bytes of memory that this process holds; 0 where the system does not tell."""
    statistics = Path("/proc/self/statm")
    if not statistics.exists():
        return 0
    return int(statistics.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
