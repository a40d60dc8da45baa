"""Odd arguments: what people hand over by mistake, in the place of what a function takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

# Each is made anew, since functions may keep or change what they are given.
_ODD: tuple[Callable[[], Any], ...] = (
    *(lambda value=value: value for value in (None, True, False, -1, 0, 1, 2, 7, 10**9, 10**30)),
    *(
        lambda value=value: value
        for value in (-0.0, 0.5, 1.5, 1e300, math.nan, math.inf, -math.inf)
    ),
    *(lambda value=value: value for value in ("", "x", "8", "conv1", "mean", "é\0", b"x", 1j, ...)),
    *(lambda value=value: value for value in ((), (1, 2), (0.5, 0.5), ("x",), range(3), int, len)),
    list,
    lambda: [[]],
    lambda: [[0, 1], [2]],
    lambda: [None],
    lambda: ["x", "y"],
    lambda: [-1, 10**30],
    dict,
    lambda: {"x": 1},
    lambda: {1: "x"},
    lambda: {3, 4},
    object,
    lambda: lambda *args, **kwargs: None,
    lambda: iter([0, 1]),
    lambda: Path("nowhere"),
    lambda: Path("nowhere/deep.nc"),
    lambda: np.int64(-3),
    lambda: np.float32(0.25),
    lambda: np.datetime64("2026-01-01"),
    lambda: np.zeros(0),
    lambda: np.zeros((2, 0, 3)),
    lambda: np.ones(3),
    lambda: np.ones((2, 3)),
    lambda: np.ones((2, 3, 3, 2)),
    lambda: np.full((2, 3), np.nan),
    lambda: np.full((2, 3), 1 + 2j),
    lambda: np.asarray(["x", "y"]),
    lambda: np.asarray([None, {}], object),
    lambda: np.asarray([2**63, 1], np.uint64),
    lambda: np.ma.masked_array([1, 2], [True, False]),
    lambda: jnp.ones(4),
)


def odd_arguments(
    args: tuple[Any, ...], kwargs: Mapping[str, Any], random: np.random.Generator
) -> tuple[tuple[Any, ...], dict[str, Any], bool]:
    """One or two arguments of a valid call replaced, changed within, or misspelled.

    Returns the arguments, and whether a keyword among them is misspelled.
    """
    found: dict[Any, Any] = {**dict(enumerate(args)), **kwargs}
    names = list(found)
    misspelled = False
    for _ in range(random.integers(1, 3)):
        if not names:
            break
        name = names.pop(int(random.integers(len(names))))
        if isinstance(name, str) and random.integers(12) == 0:
            found[_misspelled(name, random)] = found.pop(name)
            misspelled = True
        else:
            found[name] = _odd_in_place_of(found[name], random)
    positional = tuple(found.pop(index) for index in range(len(args)))
    return positional, found, misspelled


def _misspelled(name: str, random: np.random.Generator) -> str:
    place = int(random.integers(len(name)))
    return name[:place] + name[place + 1 :] + ("s" if len(name) < 3 else "")


def _odd_in_place_of(value: Any, random: np.random.Generator) -> Any:
    """An odd value, or the value with an odd one within, where it holds others."""
    odd = _ODD[random.integers(len(_ODD))]()
    if random.integers(3):
        return odd
    if isinstance(value, list | tuple) and value and type(value) in (list, tuple):
        place = int(random.integers(len(value)))
        return type(value)([*value[:place], odd, *value[place + 1 :]])
    if isinstance(value, dict) and value:
        key = list(value)[random.integers(len(value))]
        return {**value, key: odd}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf" and value.size:
        return _odd_array(value, random)
    return odd


def _odd_array(array: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """An array of another type or shape, or with an odd number in it."""
    changes: tuple[Callable[[], np.ndarray], ...] = (
        lambda: array.astype(object),
        lambda: array.astype(str),
        lambda: array.astype(complex),
        lambda: array.astype(np.float16),
        lambda: array.astype(bool),
        lambda: -array.astype(np.int64),
        lambda: array[..., None],
        lambda: array[:0],
        lambda: array.ravel(),
        lambda: array.T,
        lambda: np.where(np.arange(array.size).reshape(array.shape) == 0, np.nan, array),
        lambda: np.where(np.arange(array.size).reshape(array.shape) == 0, 10**12, array),
    )
    return changes[random.integers(len(changes))]()
