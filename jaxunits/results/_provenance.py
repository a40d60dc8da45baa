"""Where a number comes from: fingerprints, versions, devices."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from .._errors import InputError
from .._version import __version__

_PACKAGES = ("jax", "jaxlib", "flax", "numpy", "xarray")


def fingerprint(tree: PyTree) -> str:
    """SHA-256 over the paths, types, shapes and bytes of a pytree's arrays.

    Equal trees have equal fingerprints on every machine. PRNG keys count by their key data.
    """
    digest = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            leaf = jax.random.key_data(leaf)
        array = np.ascontiguousarray(leaf)
        digest.update(f"{jax.tree_util.keystr(path)} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def environment(devices: Sequence[jax.Device]) -> dict[str, str]:
    """Versions, platform and the devices used, as attributes of a result."""
    return {
        "jaxunits": __version__,
        "versions": _versions(),
        "platform": platform.platform(),
        "devices": f"{len(devices)} × {devices[0].device_kind} ({devices[0].platform})",
    }


@functools.cache
def _versions() -> str:
    found = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return json.dumps(found | {"python": platform.python_version()})


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
