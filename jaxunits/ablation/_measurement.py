"""Masks of a layer as a measurement."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from .. import execution
from ..execution import Files, Measurement, Progress
from ._counts import Outcomes, labeled, outcomes, tally
from ._engine import Engine
from ._question import Question


def measurement(
    question: Question,
    *,
    coordinates: Mapping[str, Any],
    variables: Mapping[str, Any],
    settings: Mapping[str, str],
    files: Files,
) -> Measurement:
    """The measurement.

    Args:
      question: the masks.
      coordinates: the dimensions of the masks, with their coordinates.
      variables: what is added to the result.
      settings: what the numbers depend on.
      files: where the result is kept.
    """
    layer, data = question.layer.name, question.data

    def finish(states: Callable[[], Iterator[Outcomes]]) -> dict[str, xr.Dataset]:
        counts = tally(states, len(question.masks), len(data.class_names))
        result = labeled(
            counts,
            coordinates=coordinates,
            class_names=data.class_names,
            attributes={"repeated_share": counts.repeated / max(1, len(data))},
        )
        return {layer: result.assign(variables)}

    return Measurement(
        settings={layer: settings},
        compile=lambda read: Engine(question.with_means(), read),
        observe=lambda answers: outcomes(answers, len(data.class_names)),
        kind=Outcomes,
        merge=None,
        finish=finish,
        files=files,
    )


def answer(
    question: Question, *, file: str | Path | None, progress: Progress | bool | None, **layout: Any
) -> xr.Dataset:
    """The result of evaluating the masks of a layer.

    Args:
      question: the masks.
      file: where it is kept.
      progress: as in `sweep`.
      **layout: of `measurement`: coordinates, variables, settings.
    """
    layer = question.layer.name
    one = measurement(question, files=Files.of(file, [layer], several=False), **layout)
    given = question.read(), question.carried_out, progress, f"ablating {layer}"
    return execution.in_one_pass([one], *given)[0][layer]
