"""Several passes over the images for one result, each of which is kept on the way."""

from __future__ import annotations

import dataclasses
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
from ._plan import Enough, trial
from ._progress import Progress, reporting, shifted
from ._provenance import together
from ._states import State, added


@dataclass(frozen=True)
class Reducer:
    """What one pass keeps of images, as one named tuple of arrays; see `Measurement`.

    Attributes:
      name: what is kept.
      kind: the type of the states.
      observe: from what is seen of some images, batch by batch, to their state.
      merge: the state of the images of both.
    """

    name: str
    kind: Any
    observe: Callable[[Iterator[Any]], State]
    merge: Callable[[State, State], State] = added


OnePass = Callable[[Reducer, Callable[[Read], Engine], Read], State]


def in_passes(
    layer: str,
    settings: Mapping[str, str],
    execution: Execution,
    measured: Callable[[OnePass], xr.Dataset],
    *,
    most: int,
    alike: bool = False,
    images: int | None = None,
    file: str | Path | None,
    progress: Progress | bool | None,
    title: str,
) -> xr.Dataset:
    """A result that takes several passes, of which an interruption loses one piece at most.

    Args:
      layer: what is measured.
      settings: everything that the numbers depend on.
      execution: the execution options.
      measured: the result, from a function that makes a pass and gives the state of all images.
      most: how many passes there are at most.
      alike: whether one of them tells a plan what all cost.
      images: what progress counts each of them as; those that it reads by default.
      file: where the result is kept; None for nowhere.
      progress: called with the images done and the total, over all passes.
      title: what is done, for the bar.
    """
    files = Files.of(file, [layer], several=False, steps="passes")
    with files.made({layer: settings}) as made, reporting(progress, title) as report:
        if made is not None:
            return made[layer]
        done: list[Mapping[str, Any]] = []

        def one_pass(reducer: Reducer, engine: Callable[[Read], Engine], read: Read) -> State:
            asked = _asked(settings, reducer, engine, files.on_the_way)
            part = shifted(report, len(done), most, images)
            (found,) = in_one_pass([asked], read, execution, part, title, last=False)
            if alike and (planned := trial()):
                planned[-1] = dataclasses.replace(planned[-1], steps=most)
                raise Enough
            state = found[reducer.name]
            done.append(state.attrs)
            return reducer.kind(*(state[name].values for name in reducer.kind._fields))

        result = measured(one_pass)
        timing, how = together(done)
        return files.write({layer: result.assign_attrs({**how, **settings})}, timing)[layer]


def _asked(
    settings: Mapping[str, str],
    reducer: Reducer,
    engine: Callable[[Read], Engine],
    folder: Path | None,
) -> Measurement:
    """A pass as a measurement, whose result is its state."""
    name = reducer.name
    return Measurement(
        settings={name: {**settings, "measured": f"{settings['measured']}: {name}"}},
        compile=engine,
        observe=reducer.observe,
        kind=reducer.kind,
        merge=reducer.merge,
        finish=lambda states: {name: _as_dataset(*states())},
        files=Files.of(folder and folder / f"{name}.nc", [name], several=False),
    )


def _as_dataset(state: State) -> xr.Dataset:
    """The arrays of a state by their names."""
    return xr.Dataset(
        {
            name: xr.Variable([f"{name}_{axis}" for axis in range(array.ndim)], array)
            for name, array in state._asdict().items()
        }
    )
