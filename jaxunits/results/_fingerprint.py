"""Identity of arrays and of what computed them: fingerprints, versions, devices."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from .._version import __version__

_PACKAGES = ("jax", "jaxlib", "flax", "numpy", "xarray")


def fingerprint(tree: PyTree) -> str:
    """SHA-256 over the paths, types, shapes and bytes of a pytree's arrays.

    Equal trees have equal fingerprints on every machine. PRNG keys count by their key data.

    Args:
      tree: any pytree of arrays.

    Returns:
      The digest in hexadecimal.
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
    """Versions, platform and the devices used, as attributes of a result.

    Args:
      devices: the devices that were used.

    Returns:
      The attributes, each as text, by name.
    """
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
