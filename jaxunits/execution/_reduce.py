"""One state of all images: a step on the way to a result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from ._engine import Engine
from ._execution import Execution
from ._files import Files
from ._measure import Measurement, in_one_pass
from ._pieces import Read
from ._progress import Progress
from ._states import State

_NAME = "state"


@dataclass(frozen=True)
class Reducer:
    """What is kept of images, as one named tuple of arrays; see `Measurement`.

    Attributes:
      kind: the type of the states.
      observe: from what is seen of some images, batch by batch, to their state.
      merge: the state of the images of both.
    """

    kind: Any
    observe: Callable[[Iterator[Any]], State]
    merge: Callable[[State, State], State]


def reduced(
    reducer: Reducer,
    compiled: Callable[[Read], Engine],
    read: Read,
    execution: Execution,
    *,
    settings: Mapping[str, str],
    file: Path | None = None,
    progress: Progress,
) -> tuple[State, dict[str, Any]]:
    """The state of all images, and how it was found, as attributes of a result.

    Args:
      reducer: what is kept of the images.
      compiled: from what reads them to what looks at them.
      read: reads the images.
      execution: the execution options.
      settings: everything that the state depends on.
      file: where it is kept; None for nowhere.
      progress: called with the images done and the total.
    """

    def finish(states: Callable[[], Iterator[State]]) -> dict[str, xr.Dataset]:
        (whole,) = states()
        arrays = whole._asdict().items()
        return {
            _NAME: xr.Dataset(
                {
                    name: xr.Variable([f"{name}_{axis}" for axis in range(array.ndim)], array)
                    for name, array in arrays
                }
            )
        }

    asked = Measurement(
        settings={_NAME: settings},
        compile=compiled,
        observe=reducer.observe,
        kind=reducer.kind,
        merge=reducer.merge,
        finish=finish,
        files=Files.of(file, [_NAME], several=False),
    )
    found = in_one_pass([asked], read, execution, progress, last=False)[0][_NAME]
    return reducer.kind(*(found[name].values for name in reducer.kind._fields)), found.attrs
