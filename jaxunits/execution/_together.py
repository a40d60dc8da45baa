"""Several measurements in one pass over the images."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Unpack

import xarray as xr

from .._arguments import from_options, shown
from .._errors import InputError
from ..data import Dataset
from ..networks import Classifier
from ..networks._checks import check_data
from ._execution import Execution, Options
from ._files import Files
from ._measure import Measurement, check_call, in_one_pass
from ._pieces import reading
from ._progress import Progress


@dataclass(frozen=True)
class Wanted(abc.ABC):
    """A kind of measurement for `measure`.

    Attributes:
      kind: what it is called in file names.
    """

    kind: ClassVar[str]

    @abc.abstractmethod
    def measurements(
        self,
        network: Classifier,
        data: Dataset,
        carried_out: Execution,
        files: Callable[[Sequence[str]], Files],
    ) -> list[Measurement]:
        """The measurements, one per layer.

        Args:
          network: the network.
          data: the images.
          carried_out: how.
          files: from layers to where their results are kept.
        """


def measure(
    network: Classifier,
    data: Dataset,
    wanted: Any,
    *,
    file: str | Path | None = None,
    progress: Progress | bool | None = None,
    **options: Unpack[Options],
) -> list[dict[str, xr.Dataset]]:
    """Measure several things of several layers in one pass, which reads every image once.

    `ju.measure(network, data, [ju.ablation.Sweep(), ju.attributes.Attributes()])` gives what
    `ju.ablation.sweep(network, None, data)` and `ju.attributes.collect(network, None, data)` do.

    Args:
      network: the network.
      data: the images.
      wanted: a list of what is measured: `ju.ablation.Sweep`, `ju.attributes.Attributes`,
        `ju.topology.BirthPoints`.
      file: a folder for the results, with a file for each kind and layer, as in
        `ju.ablation.sweep`.
      progress: called with the images done and the total, after every batch; False for silence,
        None for a bar in a terminal or notebook.
      **options: execution options, see `Execution`.

    Returns:
      For each element of `wanted`, in order, its results by layer.

    Raises:
      InputError: `wanted` is empty or names one kind twice, or as for the functions.
    """
    check_call(network, file, progress)
    carried_out = from_options(Execution, options, measure)
    check_data(network, data)
    _check(wanted)

    def files_of(kind: str) -> Callable[[Sequence[str]], Files]:
        return lambda names: Files.of(file, names, several=True, prefix=f"{kind}_")

    asked = [each.measurements(network, data, carried_out, files_of(each.kind)) for each in wanted]
    flat = [one for several in asked for one in several]
    title = f"{' and '.join(each.kind for each in wanted)} of {network.name}"
    read = reading(data, network.preprocessing, carried_out)
    found = iter(in_one_pass(flat, read, carried_out, progress, title))
    return [
        {name: result for _ in several for name, result in next(found).items()} for several in asked
    ]


def _check(wanted: Any) -> None:
    if not isinstance(wanted, Sequence) or not wanted:
        raise InputError(
            f"wanted={shown(wanted)}: give a list of what to measure, such as [ju.ablation.Sweep()]"
        )
    for each in wanted:
        if not isinstance(each, Wanted):
            raise InputError(
                f"wanted of type {type(each).__name__}: give ju.ablation.Sweep, "
                "ju.attributes.Attributes or ju.topology.BirthPoints"
            )
    kinds = [each.kind for each in wanted]
    for kind in kinds:
        if kinds.count(kind) > 1:
            raise InputError(f"{kind} is wanted twice: give one with all layers")
