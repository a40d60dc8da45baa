"""Whether two settings are the same."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from .._errors import InputError


def raise_if_different(
    found: Mapping[str, Any], wanted: Mapping[str, Any], *, place: str, way_out: str
) -> None:
    """Compare two settings and refuse them, with every difference named, if they are not equal.

    Args:
      found: the settings that are there; values may be nested mappings and sequences.
      wanted: the settings that are asked for.
      place: what `found` belongs to, such as `"run folder runs/demo"`.
      way_out: what the reader can do about it.

    Raises:
      InputError: they differ.
    """
    flat_found, flat_wanted = dict(_flat(found)), dict(_flat(wanted))
    keys = sorted(flat_found.keys() | flat_wanted.keys())
    differences = [
        f"{key} is {_shown(flat_found, key)} there and {_shown(flat_wanted, key)} now"
        for key in keys
        if flat_found.get(key, KeyError) != flat_wanted.get(key, KeyError)
    ]
    if differences:
        raise InputError(
            f"{place} belongs to another configuration: {'; '.join(differences)}. {way_out}"
        )


def _flat(settings: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested settings, by dotted name."""
    if isinstance(settings, Mapping) and settings:
        for key, value in settings.items():
            yield from _flat(value, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(settings, (list, tuple)):
        yield prefix, json.dumps(settings)
    else:
        yield prefix, settings


def _shown(settings: Mapping[str, Any], key: str) -> str:
    return repr(settings[key]) if key in settings else "not set"
