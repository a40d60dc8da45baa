"""What a kind of measurement is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import xarray as xr

from ..config import Config
from .subject import Found, Subject

SWEEP = ("split", "values", "precision")


@dataclass(frozen=True)
class Kind:
    """A kind of measurement, of one layer a file.

    Attributes:
      name: of its files.
      options: names of the options that it depends on; that of a section for all but its layers.
      layers: which layers it is made of.
      content: what else a layer's numbers depend on; raises `InputError` where it cannot be had.
      measure: measures some layers, one after another, given what was measured before.
    """

    name: str
    options: Callable[[Config], Sequence[str]]
    layers: Callable[[Subject], Sequence[str]]
    content: Callable[[Subject, str], dict[str, str]]
    measure: Callable[[Subject, Sequence[str], Found], Iterator[tuple[str, xr.Dataset]]]

    def settings(self, subject: Subject, layer: str) -> dict[str, str]:
        """Everything that the numbers of a layer depend on.

        Raises:
          InputError: it cannot be had.
        """
        # The split as it was written.
        return {**self.content(subject, layer), **self.asked(subject.config)}

    def asked(self, config: Config) -> dict[str, str]:
        """Those settings that are known without the network and its images.

        Args:
          config: its split is named; its epoch may be.
        """
        given = {} if config.epoch is None else {"epoch": str(config.epoch)}
        for name in self.options(config):
            section, _, option = name.partition(".")
            value = asdict(config)[section]
            chosen = value if isinstance(value, dict) else {"": value}
            given |= {
                f"{section}.{key}".rstrip("."): str(each)
                for key, each in chosen.items()
                if key != "layers" and option in ("", key)
            }
        return {"kind": self.name, **given}

    def unfinished(self, subject: Subject, layer: str) -> Path:
        """The folder for what is done so far of a layer's measurement."""
        return subject.files.unfinished(self.settings(subject, layer))
