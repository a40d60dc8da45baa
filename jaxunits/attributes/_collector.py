"""What a collector is: a summary of images that grows and can be merged with another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import xarray as xr
from jaxtyping import Float64, Int32

from ._seen import Seen

State = TypeVar("State", bound=tuple[Any, ...])


@dataclass(frozen=True)
class Collector(Generic[State]):
    """A family of attributes, as three functions.

    The state is a NamedTuple of arrays in float64 and integers. States of parts of the images,
    merged in any way, give what one state of all of them gives, up to float64's rounding.

    Attributes:
      kind: the type of its states.
      observe: the state of some images.
      merge: the state of the images of both.
      finish: the attributes by name.
    """

    kind: type[Any]
    observe: Callable[[Seen], State]
    merge: Callable[[State, State], State]
    finish: Callable[[State], Mapping[str, xr.Variable]]


def variable(
    dims: tuple[str, ...], values: np.ndarray, units: str, description: str
) -> xr.Variable:
    """An attribute of units, with its unit of measure; empty for none."""
    return xr.Variable(dims, values, {"units": units, "long_name": description})


def class_sums(
    labels: Int32[np.ndarray, " images"], values: np.ndarray, classes: int
) -> Float64[np.ndarray, "units classes"]:
    """Sums of `[images, units]` over the images of each class."""
    order = np.argsort(labels, kind="stable")
    found, starts = np.unique(labels[order], return_index=True)
    sums = np.zeros((values.shape[1], classes))
    sums[:, found] = np.add.reduceat(values[order].astype(np.float64), starts, axis=0).T
    return sums


def counts_of(labels: Int32[np.ndarray, " images"], classes: int) -> np.ndarray:
    """How many images each class has."""
    return np.bincount(labels, minlength=classes).astype(np.int64)
