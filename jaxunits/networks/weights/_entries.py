"""Which part of a checkpoint holds the weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..._errors import InputError
from ._stored import printable

# Under these names training programs keep the weights beside their other state, and running
# averages of the weights over the steps.
_WEIGHTS = ("state_dict", "model_state_dict", "model")
_AVERAGES = ("state_dict_ema", "model_ema", "ema_state_dict", "ema")
_MOST_WRAPPERS = 3


def weights_entry(
    content: Mapping[Any, Any], entry: str | None, is_array: Callable[[Any], bool], place: str
) -> Mapping[Any, Any]:
    """The dictionary of a checkpoint that holds the weights.

    Args:
      content: the checkpoint, dictionaries within each other.
      entry: the name under which it holds them; None where only one comes into question.
      is_array: whether a value of a dictionary is an array.
      place: what is read, for errors.

    Raises:
      InputError: there is no such entry, or there are weights and their averages and no choice.
    """
    # A pickled dictionary can contain itself.
    for _ in range(_MOST_WRAPPERS):
        if entry is not None and isinstance(content.get(entry), Mapping):
            return _inner(content[entry], is_array)
        inner = _wrapped(content, entry, place)
        if inner is None:
            break
        content = inner
    if entry is not None:
        raise InputError(
            f"{place} has no entry {entry!r} with arrays; it has "
            f"{printable(', '.join(map(str, content)), 200) or 'nothing'}"
        )
    return content


def _wrapped(content: Mapping[Any, Any], entry: str | None, place: str) -> Any:
    """What a dictionary wraps; None if it wraps nothing."""
    weights, averages = (
        [name for name in names if isinstance(content.get(name), Mapping)]
        for names in (_WEIGHTS, _AVERAGES)
    )
    if entry is None and weights and averages:
        raise InputError(
            f"{place} holds weights as {weights[0]!r} and their running averages as "
            f"{averages[0]!r}: choose with entry={weights[0]!r} or entry={averages[0]!r}"
        )
    names = [*weights, *averages]
    return content[names[0]] if names else None


def _inner(content: Mapping[Any, Any], is_array: Callable[[Any], bool]) -> Mapping[Any, Any]:
    """The arrays of a chosen entry, which may be wrapped once more."""
    for _ in range(_MOST_WRAPPERS):
        if any(map(is_array, content.values())):
            break
        inner = [content[name] for name in _WEIGHTS if isinstance(content.get(name), Mapping)]
        if not inner:
            break
        content = inner[0]
    return content
