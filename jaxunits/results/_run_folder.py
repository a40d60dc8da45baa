"""The folder of one trained network: everything that was made with it, and nothing outside it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._errors import InputError
from ..files import hold, read_json, remove_partial, write_json
from ._provenance import raise_if_different


@dataclass(frozen=True)
class RunFolder:
    """The places of a run folder.

    Attributes:
      path: the folder.
    """

    path: Path

    @property
    def configuration(self) -> Path:
        """The settings that the network was trained with."""
        return self.path / "configuration.json"

    @property
    def architecture(self) -> Path:
        """The builder of the network and its arguments."""
        return self.path / "network.json"

    @property
    def checkpoints(self) -> Path:
        """One Orbax checkpoint per saved epoch."""
        return self.path / "checkpoints"

    @property
    def metrics(self) -> Path:
        """One line of JSON per epoch."""
        return self.path / "metrics.jsonl"

    @property
    def measurements(self) -> Path:
        """Results as netCDF files."""
        return self.path / "measurements"

    @property
    def report(self) -> Path:
        """The report, one self-contained page."""
        return self.path / "report.html"

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Hold the folder for this process; the hold ends with the process, however it ends.

        Raises:
          InputError: another process holds it, or it holds files but is not a run folder.
        """
        self._refuse_strangers()
        way_out = "wait for it to end, or choose another folder"
        with hold(self.path / ".lock", f"run folder {self.path}", otherwise=way_out):
            remove_partial(self.path)
            yield

    def claim(self, configuration: Mapping[str, Any], *, may_differ: tuple[str, ...] = ()) -> None:
        """Make the folder belong to a configuration, or check that it does already.

        Args:
          configuration: settings that JSON can hold.
          may_differ: top-level settings that do not change what is computed.

        Raises:
          InputError: it belongs to another one (every difference is named).
        """
        wanted = json.loads(json.dumps(configuration))
        if not self.configuration.exists():
            write_json(self.configuration, wanted)
            return
        found = self.read_configuration()
        raise_if_different(
            {key: value for key, value in found.items() if key not in may_differ},
            {key: value for key, value in wanted.items() if key not in may_differ},
            place=f"run folder {self.path}",
            way_out="Give the same network and settings, or another run folder",
        )

    def _refuse_strangers(self) -> None:
        if not self.path.is_dir() or self.configuration.exists():
            return
        names = sorted(item.name for item in self.path.iterdir() if not item.name.startswith("."))
        if names:
            raise InputError(
                f"folder {self.path} is not a run folder and not empty (it holds "
                f"{', '.join(names[:5])}): choose another folder"
            )

    def read_configuration(self) -> dict[str, Any]:
        """The settings that the network was trained with.

        Raises:
          InputError: this is not a run folder, or its configuration is damaged.
        """
        return read_json(self.configuration, f"{self.path} is not a run folder")
