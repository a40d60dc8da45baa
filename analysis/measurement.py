"""What a measurement is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import xarray as xr

from .progress import image_bar
from .settings import Settings, section_name
from .subject import Subject

Progress = Callable[[int, int], None]
Results = Mapping[str, Mapping[str, xr.Dataset]]
Measured = Iterator[tuple[str, xr.Dataset]]
# A setting, a section of options, or one option of a section.
Option = str | type | tuple[type, str]
SWEEP: tuple[Option, ...] = ("split", "values", "precision")


@dataclass(frozen=True)
class Measurement:
    """What is measured of single layers, and kept in one file per layer.

    Attributes:
      name: of its files.
      measure: measures some layers, one after another, given what was measured before.
      content: what a layer's numbers depend on beside its options; raises `InputError` where that
        is not available.
      options: the options that they depend on; of a section all but `layers`.
      layers: which layers are measured; those that were asked for by default.
      after: measurements that it reads.
      training: what it needs of the network's training.
      without: those of its options that do not matter, given the others.
      one_pass: whether all layers are measured in one pass over the images.
      planned: for a plan, the call that costs most, of a layer; the first by default.
      calls: for a plan, how many like that one a layer takes.
      stand_in: for a plan, what stands for a layer's result where others read it.
    """

    name: str
    measure: Callable[[Subject, Sequence[str], Results], Measured]
    content: Callable[[Subject, str], dict[str, str]]
    options: tuple[Option, ...] = ()
    layers: Callable[[Subject], Sequence[str]] = lambda subject: subject.layers
    after: tuple[Measurement, ...] = ()
    training: Literal["none", "images", "checkpoints"] = "none"
    without: Callable[[Settings], Sequence[Option]] = lambda _: ()
    one_pass: bool = False
    planned: Callable[[Subject, str], object] | None = None
    calls: Callable[[Subject], float] = lambda _: 1
    stand_in: Callable[[Subject, str], xr.Dataset] | None = None

    def settings(self, subject: Subject, layer: str) -> dict[str, str]:
        """Everything that the numbers of a layer depend on.

        Raises:
          InputError: it is not available.
        """
        # The split as it was written.
        return {**self.content(subject, layer), **self.asked(subject.config)}

    def asked(self, config: Settings) -> dict[str, str]:
        """Those settings that are known without the network and its images.

        Args:
          config: its split is named; its epoch may be.
        """
        given = {"kind": self.name}
        if config.epoch is not None:
            given["epoch"] = str(config.epoch)
        for option in self.options:
            given |= _values(config, option)
        left_out = {name for option in self.without(config) for name in _values(config, option)}
        return {name: value for name, value in given.items() if name not in left_out}

    def sections(self) -> list[type]:
        """The sections of its options."""
        parts = [option[0] if isinstance(option, tuple) else option for option in self.options]
        return [part for part in parts if isinstance(part, type)]

    def unfinished(self, subject: Subject, layer: str) -> Path:
        """The folder for what is done so far of a layer's measurement."""
        return subject.files.unfinished(self.settings(subject, layer))


def _values(config: Settings, option: Option) -> dict[str, str]:
    """An option, or those of a section, by their whole names."""
    if isinstance(option, str):
        return {option: str(getattr(config, option))}
    section, only = option if isinstance(option, tuple) else (option, None)
    return {
        f"{section_name(section)}.{key}": str(value)
        for key, value in asdict(config.of(section)).items()
        if key == only or (only is None and key != "layers")
    }


def each_layer(
    call: Callable[[Subject, str, Results], xr.Dataset],
) -> Callable[[Subject, Sequence[str], Results], Measured]:
    """How one layer after another is measured.

    Args:
      call: measures a layer, given what was measured before.
    """

    def measure(subject: Subject, layers: Sequence[str], results: Results) -> Measured:
        for layer in layers:
            yield layer, call(subject, layer, results)

    return measure


def layer_by_layer(
    title: Callable[[Subject, str], str],
    call: Callable[[Subject, str, Results, Progress], xr.Dataset],
    *,
    of: str = "images",
) -> Callable[[Subject, Sequence[str], Results], Measured]:
    """How one layer after another is measured, each with a bar.

    Args:
      title: of a layer's bar.
      call: measures a layer, given what was measured before and what moves the bar.
      of: what the bar counts.
    """

    def with_bar(subject: Subject, layer: str, results: Results) -> xr.Dataset:
        with image_bar(subject.console, title(subject, layer), of=of) as progress:
            return call(subject, layer, results, progress)

    return each_layer(with_bar)


def asked_layers(section: type[Any]) -> Callable[[Subject], Sequence[str]]:
    """The layers of a section of options, or those asked for; the last with maps by default."""
    return lambda subject: (
        subject.config.of(section).layers or subject.config.layers or subject.last_maps
    )


def in_order(needed: Sequence[Measurement]) -> list[Measurement]:
    """Measurements with those that they read, each behind what it reads."""
    ordered: dict[str, Measurement] = {}

    def add(measurement: Measurement) -> None:
        if measurement.name not in ordered:
            for each in measurement.after:
                add(each)
            ordered[measurement.name] = measurement

    for each in needed:
        add(each)
    return list(ordered.values())
