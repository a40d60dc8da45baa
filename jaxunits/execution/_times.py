"""Durations of a measurement: what equal measurements differ in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any


def times(programs: int, compile_seconds: float, run_seconds: float) -> dict[str, Any]:
    """How long it took until now, as attributes of a result.

    Args:
      programs: how many were compiled.
      compile_seconds: what compiling took.
      run_seconds: what looking at images took, over all runs.
    """
    return {
        "programs": programs,
        "compile_seconds": round(compile_seconds, 3),
        "run_seconds": round(run_seconds, 3),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def together(passes: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """How long several passes took, and how the last one was executed.

    Args:
      passes: the attributes of each.
    """
    programs = sum(int(each["programs"]) for each in passes)
    compiling, running = (
        sum(float(each[name]) for each in passes) for name in ("compile_seconds", "run_seconds")
    )
    own = times(programs, compiling, running)
    return own, {name: value for name, value in passes[-1].items() if name not in own}
