"""What a page may run in a browser: the scripts that it was written with."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence


def policy(scripts: Sequence[str], *, compiles: bool = False) -> str:
    """A page's Content Security Policy: nothing from elsewhere, and no other script than these.

    A script that came in by a name of a class or a layer does not run, however it came in.

    Args:
      scripts: the contents of its script elements, to the letter.
      compiles: whether these make functions out of text, as Vega does.
    """
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
    allowed = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
    if compiles:
        allowed.append("'unsafe-eval'")
    return (
        "default-src 'none'; img-src 'self' file: data: blob:; style-src 'unsafe-inline'; "
        f"script-src {' '.join(allowed)}"
    )
