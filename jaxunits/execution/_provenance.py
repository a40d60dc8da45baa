"""The provenance of every result, and how long it took: what equal ones differ in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ..data import Dataset
from ..data.concepts import Concepts
from ..networks import Classifier
from ._execution import Execution


def provenance(
    measured: str,
    network: Classifier,
    layer: str | None,
    data: Dataset | Concepts | None,
    execution: Execution,
) -> dict[str, str]:
    """What the numbers of a layer, or of a network, depend on, whatever is measured.

    Args:
      measured: what is measured, by the function's name.
      network: the network.
      layer: the layer's name; None if no layer is measured.
      data: the images; None where none are read.
      execution: the execution options.
    """
    images: dict[str, str] = {}
    if data is not None:
        images = {
            "data": data.name,
            "split": data.split,
            "images": str(len(data)),
            "data_fingerprint": data.fingerprint,
            "skipped_files": str(len(data.skipped)) if isinstance(data, Dataset) else "0",
        }
    place: dict[str, str] = {}
    if layer is not None:
        place = {
            "layer": layer,
            "unit_is": network.layers[layer].unit_is,
            "layer_number": str(list(network.layers).index(layer)),
        }
    return {
        "measured": measured,
        "network": network.name,
        "architecture": network.architecture.arguments if network.architecture else "",
        "parameters": network.fingerprint,
        "preprocessing": str(network.preprocessing),
        **place,
        **images,
        "precision": execution.precision,
    }


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
