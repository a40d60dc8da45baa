"""Whether arguments are of the kind that a function takes."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Int64, Shaped

from ._errors import InputError, unknown_name

Choices = TypeVar("Choices")


def _is_type(kind: Any, above: type) -> bool:
    """Whether a type of numbers is one of those beneath another, bfloat16 among floating point."""
    try:
        simple = np.dtype(kind).kind != "V"
    except TypeError:
        simple = False
    if simple:
        return bool(np.issubdtype(kind, above))
    # NumPy's own types do without JAX.
    import jax.numpy as jnp

    return bool(jnp.issubdtype(kind, above))


def is_whole(value: Any) -> bool:
    """Whether this is one integer, of Python, NumPy or JAX; True and False are not."""
    kind = getattr(value, "dtype", None)
    if kind is None:
        return isinstance(value, int) and not isinstance(value, bool)
    # Types of other libraries, such as PyTorch, are not NumPy types.
    integer = isinstance(kind, np.dtype) and _is_type(kind, np.integer)
    return integer and np.ndim(value) == 0


def is_real(value: Any) -> bool:
    """Whether this is one real number, including NaN and infinity; True and False are not."""
    kind = getattr(value, "dtype", None)
    if kind is None:
        return isinstance(value, int | float) and not isinstance(value, bool)
    real = isinstance(kind, np.dtype) and any(
        _is_type(kind, each) for each in (np.integer, np.floating)
    )
    return real and np.ndim(value) == 0


def is_real_type(kind: Any) -> bool:
    """Whether arrays of this type hold real numbers or truth values."""
    return any(_is_type(kind, real) for real in (np.bool_, np.integer, np.floating))


def check_whole(**numbers: Any) -> None:
    """Refuse what is not an integer.

    Args:
      **numbers: the arguments, by their names.

    Raises:
      InputError: one is a fraction, text or something else.
    """
    for name, value in numbers.items():
        if not is_whole(value):
            raise InputError(f"{name}={shown(value)}: give a whole number, such as {name}=8")


def check_whole_or_none(**numbers: Any) -> None:
    """Refuse what is neither an integer nor None; see `check_whole`."""
    check_whole(**{name: value for name, value in numbers.items() if value is not None})


def check_real(**numbers: Any) -> None:
    """Refuse what is not a real number; see `check_whole`."""
    for name, value in numbers.items():
        if not is_real(value):
            raise InputError(f"{name}={shown(value)}: give a number")


def check_function_or_none(**functions: Any) -> None:
    """Refuse what is neither None nor can be called; see `check_whole`."""
    for name, value in functions.items():
        if value is not None and not callable(value):
            raise InputError(f"{name}={shown(value)}: give a function, or None")


def check_path_or_none(**paths: Any) -> None:
    """Refuse what is neither None nor a path; see `check_whole`."""
    for name, value in paths.items():
        if value is not None and not isinstance(value, str | Path):
            raise InputError(f"{name}={shown(value)}: give a path, or None")


def as_array(values: Any, name: str) -> Shaped[np.ndarray, ...]:
    """What was given as an array of any type.

    Args:
      values: what was given.
      name: what it is, for messages.

    Raises:
      InputError: its rows differ in length or shape.
    """
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise InputError(
            f"{name} are ragged: their rows differ in length or shape; give rows of one shape"
        ) from error
    return array


def real_array(values: Any, name: str, place: str = "") -> Shaped[np.ndarray, ...]:
    """Real numbers, whole numbers or truth values as an array, of the type that they have.

    Args:
      values: what was given.
      name: what it is, for messages.
      place: what it is for, such as `" for layer 'conv1'"`.

    Raises:
      InputError: these are not real numbers (text, complex numbers, objects), or the array is
        ragged.
    """
    array = as_array(values, name + place)
    if not is_real_type(array.dtype):
        kind = "real numbers" if np.iscomplexobj(array) else "numbers"
        raise InputError(f"{name} of type {array.dtype}{place}: give {kind}")
    return array


def whole_array(values: Any, name: str, place: str = "") -> Int64[np.ndarray, ...]:
    """Whole numbers as int64; see `real_array`.

    Raises:
      InputError: a number is a fraction or beyond int64, these are not numbers, or the array is
        ragged.
    """
    array = as_array(values, name + place)
    if array.size == 0:
        return array.astype(np.int64)
    if not _is_type(array.dtype, np.integer):
        first = array.ravel()[:1].tolist()[0]
        raise InputError(
            f"{name} of type {array.dtype}{place}, such as {shown(first)}: give whole numbers"
        )
    if array.max() > np.iinfo(np.int64).max:
        raise InputError(f"{name}{place} go up to {array.max()}: give numbers below 2^63")
    return array.astype(np.int64)


def from_options(
    kind: type[Choices], options: Mapping[str, Any], function: Callable[..., Any]
) -> Choices:
    """The dataclass that a function's further keywords fill; see `several_from_options`."""
    return several_from_options((kind,), options, function)[0]


def several_from_options(
    kinds: Sequence[type[Any]], options: Mapping[str, Any], function: Callable[..., Any]
) -> list[Any]:
    """The dataclasses that a function's further keywords fill.

    Args:
      kinds: the dataclasses.
      options: the further keywords.
      function: who was called with them, whose own keywords a typo may have meant as well.

    Raises:
      InputError: a keyword is unknown, the nearest one is offered; or a value cannot be used.
    """
    fields = [[field.name for field in dataclasses.fields(kind)] for kind in kinds]
    taken = [name for names in fields for name in names]
    own = [
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]
    for name in options:
        if name not in taken:
            raise unknown_name("option", name, [*own, *taken], function.__name__)
    return [
        kind(**{name: options[name] for name in names if name in options})
        for kind, names in zip(kinds, fields, strict=True)
    ]


def shown(value: Any, most: int = 60) -> str:
    """A value as Python writes it, cut where it is too long to read."""
    text = repr(value)
    return text if len(text) <= most else text[:most] + "…"
