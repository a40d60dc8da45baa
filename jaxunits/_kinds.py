"""Whether arguments are of the kinds that a function's annotations name."""

from __future__ import annotations

import collections.abc
import dataclasses
import functools
import inspect
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin
from typing import get_type_hints as hints_of

import numpy as np
import xarray as xr

from ._arguments import is_real, is_whole, shown
from ._errors import InputError

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_LISTS = (collections.abc.Sequence, collections.abc.Collection, tuple, list)
_BY_NAME = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)


def checks_kinds(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """A function that refuses arguments of other kinds than its annotations name.

    Whole numbers and numbers of NumPy and JAX are taken where Python's are; what is annotated as
    `Any` is left to the function, and so are ranges, shapes and names.

    Raises:
      InputError: by the function that is returned, naming the argument and what it takes.
    """
    signature = inspect.signature(function)

    @functools.cache
    def hints() -> dict[str, Any]:
        found = hints_of(function, include_extras=True)
        named = [key for key, each in signature.parameters.items() if each.kind not in _BY_NAME]
        # A type variable takes what it is bound to.
        return {
            name: getattr(found[name], "__bound__", None) or found[name]
            for name in named
            if name in found
        }

    @functools.wraps(function)
    def checked(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError:
            # Python's own message names the function.
            return function(*args, **kwargs)
        _check({name: given[name] for name in given if name in hints()}, hints())
        return function(*args, **kwargs)

    return checked


def check_fields(settings: Any) -> None:
    """Refuse a dataclass whose fields are of other kinds than annotated; see `checks_kinds`."""
    values = {field.name: getattr(settings, field.name) for field in dataclasses.fields(settings)}
    _check(values, hints_of(type(settings), include_extras=True))


def _check(values: Mapping[str, Any], hints: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if not _fits(value, hints[name]):
            simple = value is None or isinstance(
                value, str | bytes | int | float | complex | np.generic
            )
            what = f"={shown(value)}" if simple else f" of type {type(value).__name__}"
            raise InputError(f"{name}{what}: give {_words(hints[name], name)}")


def _fits(value: Any, hint: Any) -> bool:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, each) for each in inner)
    if origin is Annotated:
        return _fits(value, inner[0])
    if origin is Literal:
        return isinstance(value, str) and value in inner
    if origin is collections.abc.Callable:
        return callable(value)
    if origin is collections.abc.Mapping:
        return isinstance(value, Mapping) and all(
            _fits(key, inner[0]) and _fits(value[key], inner[1]) for key in value
        )
    if origin is tuple and Ellipsis not in inner:
        return _is_list(value) and len(value) == len(inner) and all(map(_fits, value, inner))
    if origin in _LISTS:
        unordered = origin is collections.abc.Collection
        return _is_list(value, unordered) and all(_fits(each, inner[0]) for each in value)
    return _is_one(value, hint)


def _is_list(value: Any, unordered: bool = False) -> bool:
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    # Sets have no order.
    left_out = (str, bytes, Mapping) if unordered else (str, bytes, Mapping, collections.abc.Set)
    return isinstance(value, collections.abc.Collection) and not isinstance(value, left_out)


def _is_one(value: Any, hint: Any) -> bool:
    """Whether a value that holds no others is of a type."""
    checks: dict[Any, Callable[[Any], bool]] = {int: is_whole, float: is_real}
    if hint in checks:
        return checks[hint](value)
    if hint is bool:
        return isinstance(value, bool | np.bool_)
    # Shapes and types of arrays are the function's to check.
    if hasattr(hint, "array_type"):
        return isinstance(value, np.ndarray) or _is_jax_array(value)
    if hint is Any or not isinstance(hint, type) or getattr(hint, "_is_protocol", False):
        return True
    return isinstance(value, hint)


def _is_jax_array(value: Any) -> bool:
    # Where nothing is an array of JAX it is not imported.
    import jax

    return isinstance(value, jax.Array)


def _words(hint: Any, name: str) -> str:
    """What an annotation takes, in words."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        kinds = [each for each in inner if each is not str or Path not in inner]
        return " or ".join(_words(each, name) for each in kinds)
    if origin is Annotated:
        return _words(inner[0], name)
    if origin is Literal:
        return f"one of {', '.join(map(str, inner))}"
    if origin is collections.abc.Callable:
        return "a function"
    if origin is collections.abc.Mapping and inner[1] is Any:
        return "a dictionary by names"
    if origin is collections.abc.Mapping:
        return f"a dictionary, its values each {_words(inner[1], name)}"
    if origin is tuple and Ellipsis not in inner:
        each_of = dict.fromkeys(_words(each, name) for each in inner)
        return f"{len(inner)} values, each of it {' or '.join(each_of)}"
    if origin in _LISTS:
        return f"a list, each of it {_words(inner[0], name)}"
    return _name(hint, name)


def _name(hint: Any, name: str) -> str:
    known = {
        bool: "True or False",
        int: f"a whole number, such as {name}=8",
        float: "a number",
        str: "text",
        Path: "a path",
        type(None): "None",
        xr.Dataset: "a result, an xarray.Dataset",
        xr.DataArray: "an xarray.DataArray",
    }
    if hint in known:
        return known[hint]
    if hasattr(hint, "array_type"):
        return "an array of NumPy or JAX"
    module = [part for part in hint.__module__.split(".") if not part.startswith("_")]
    package = "ju" if module[0] == "jaxunits" else module[0]
    return f"a {'.'.join([package, *module[1:], hint.__name__])}"
