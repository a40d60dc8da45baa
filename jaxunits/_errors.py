"""The error for input that cannot be used, and its standard sentences."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Input to jaxunits cannot be used; the message says what, where and the way out."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def printable(text: str) -> str:
    """Text as it can be printed and stored: what a file's name has beside UTF-8 is escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


def unknown_name(kind: str, name: object, known: Iterable[str], place: str) -> InputError:
    """The error for a name that is not among the known ones; offers the nearest of them.

    Args:
      kind: what the name should have named, such as `"layer"`.
      name: the name that was given.
      known: the names that exist.
      place: where they exist, such as `"network 'convnet'"`.

    Returns:
      The error, to be raised.
    """
    known = [str(item) for item in known]
    nearest = difflib.get_close_matches(str(name), known, n=1, cutoff=0.4)
    hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
    return InputError(f"unknown {kind} {name!r}: {place} has {_listed(known)}.{hint}")


def _listed(names: list[str], most: int = 20) -> str:
    if not names:
        return "none"
    more = f", … ({len(names)} in all)" if len(names) > most else ""
    return ", ".join(names[:most]) + more
