"""Digests that detect files damaged since they were written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

# In front of the digest, at the end of the file, where readers of HDF5 and npz do not look.
_MARK = b"\njaxunits sha256 "
_SEAL_LENGTH = len(_MARK) + hashlib.sha256().digest_size
_DIGEST = "sha256"


class DamagedError(ValueError):
    """Content does not have the digest that it was written with."""


def seal(content: bytes | memoryview) -> bytes:
    """Content with its SHA-256 behind it."""
    return b"".join([content, _MARK, hashlib.sha256(content).digest()])


def unseal(content: bytes) -> memoryview:
    """The content that `seal` was given.

    Raises:
      DamagedError: it is not what was sealed.
    """
    body = memoryview(content)[: max(0, len(content) - _SEAL_LENGTH)]
    if content[len(body) : len(body) + len(_MARK)] != _MARK:
        raise DamagedError(
            "its digest is missing from the end: it is truncated, or not written by jaxunits"
        )
    if hashlib.sha256(body).digest() != content[-hashlib.sha256().digest_size :]:
        raise DamagedError("its digest does not match: it was changed after it was written")
    return body


def seal_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that JSON can hold, with their SHA-256 as the last of them."""
    return {**settings, _DIGEST: _digest_of(settings)}


def unseal_settings(sealed: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that `seal_settings` was given, whitespace and order apart.

    Raises:
      DamagedError: they are not what was sealed, or have no digest.
    """
    settings = {key: value for key, value in sealed.items() if key != _DIGEST}
    if _DIGEST not in sealed:
        raise DamagedError(f"it has no {_DIGEST!r}")
    if sealed[_DIGEST] != _digest_of(settings):
        raise DamagedError(f"it does not have its {_DIGEST!r}: it was changed after it was written")
    return settings


def _digest_of(settings: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
