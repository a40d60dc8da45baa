"""Masks of a layer as a measurement."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from .. import execution
from ..data import Dataset
from ..execution import Files, Measurement, Progress, Read
from ..networks import Classifier
from ._counts import Outcomes, labeled, outcomes, tally
from ._engine import Engine
from ._execution import Execution
from ._question import Question


def measurement(
    network: Classifier,
    question: Question,
    data: Dataset,
    *,
    coordinates: Mapping[str, Any],
    variables: Mapping[str, Any],
    settings: Mapping[str, str],
    files: Files,
    carried_out: Execution,
) -> Measurement:
    """The measurement.

    Args:
      network: the network.
      question: the masks.
      data: the images.
      coordinates: the dimensions of the masks, with their coordinates.
      variables: what is added to the result.
      settings: what the numbers depend on.
      files: where the result is kept.
      carried_out: how.
    """
    layer, classes = question.layer.name, len(data.class_names)

    def compiled(read: Read) -> Engine:
        asked = question.with_means(network, carried_out)
        return Engine(network, asked, read, carried_out, data.name)

    def finish(states: Callable[[], Iterator[Outcomes]]) -> dict[str, xr.Dataset]:
        counts = tally(states, len(question.masks), classes)
        result = labeled(
            counts,
            coordinates=coordinates,
            class_names=data.class_names,
            attributes={"repeated_share": counts.repeated / max(1, len(data))},
        )
        return {layer: result.assign(variables)}

    return Measurement(
        settings={layer: settings},
        compile=compiled,
        observe=lambda answers: outcomes(answers, classes),
        kind=Outcomes,
        merge=None,
        finish=finish,
        files=files,
    )


def answer(
    network: Classifier,
    question: Question,
    data: Dataset,
    *,
    file: str | Path | None,
    progress: Progress | bool | None,
    carried_out: Execution,
    **layout: Any,
) -> xr.Dataset:
    """The result of evaluating the masks of a layer.

    Args:
      network: the network.
      question: the masks.
      data: the images.
      file: where it is kept.
      progress: as in `sweep`.
      carried_out: how.
      **layout: of `measurement`: coordinates, variables, settings.
    """
    layer = question.layer.name
    files = Files.of(file, [layer], several=False)
    one = measurement(network, question, data, files=files, carried_out=carried_out, **layout)
    read = question.read(network, data, carried_out)
    title = f"ablating {layer}"
    return execution.in_one_pass([one], read, carried_out, progress, title)[0][layer]
