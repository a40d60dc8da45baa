"""How to build a network again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Architecture:
    """The name of a builder of `jaxunits.networks` and its arguments.

    Attributes:
      builder: the function's name.
      arguments: its arguments as a JSON object, so that architectures compare and hash.
    """

    builder: str
    arguments: str

    @classmethod
    def of(cls, builder: str, **arguments: Any) -> Architecture:
        """The architecture of a builder called with arguments that JSON can hold."""
        # Numbers of NumPy and JAX are numbers.
        return cls(builder, json.dumps(arguments, sort_keys=True, default=lambda each: each.item()))
