"""Whole persistence diagrams and Betti curves of maps."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Int64

from .._errors import InputError
from .._kinds import checks_kinds
from .._optional import check_installed
from ._conventions import convention_of
from ._edges import checked_maps, edge_ranks
from ._question import check_processes
from ._ripser import diagrams_of, over_maps


@checks_kinds
def persistence(
    maps: Any,
    *,
    dimensions: Sequence[int] = (0, 1),
    convention: str = "paper",
    processes: int = 1,
) -> xr.Dataset:
    """Birth and death of every hole of every map, in ranks (Zhao and Zhang 2021, §2.1).

    Through ripser, over the field of two elements. Vertices are born at rank 0, before all edges;
    a hole that is filled at the rank at which it is born is left out.

    Args:
      maps: as for `birth_points`.
      dimensions: of the holes: 0 for components, 1 for cycles, 2 for voids, and so on.
      convention: as for `birth_points`. By `"authors"` the vertices are born with the first edges,
        at rank 0, and a hole that the edges of later ranks would fill lasts for ever.
      processes: as for `birth_points`.

    Returns:
      A Dataset by `hole`: `image`, `unit` and `dimension`, `birth`, and `death`, infinite for holes
      that no edge fills.

    Raises:
      InputError: as `birth_points`, or there is no dimension, one is negative or one comes twice.
    """
    rules = convention_of(convention)
    values = _checked(maps, dimensions, processes)
    images, vertices, _, units = values.shape
    ranks = edge_ranks(values, signed=rules.signed)
    last = rules.num_ranks(vertices)
    # Holes of dimension k have at least 2k + 2 vertices.
    highest = min(max(dimensions), max(vertices // 2 - 1, 0))
    one = functools.partial(diagrams_of, vertices=vertices, dimension=highest, last=last)
    parts = [np.empty((0, 4))]
    for index, diagrams in enumerate(over_maps(one, ranks, processes)):
        for dimension in (each for each in dimensions if each <= highest):
            bars = np.maximum(diagrams[dimension] + (rules.first_rank - 1), 0)
            bars = bars[bars[:, 0] < bars[:, 1]]
            parts.append(np.column_stack([np.full((len(bars), 2), (index, dimension)), bars]))
    index, dimension, birth, death = np.concatenate(parts).T
    image, unit = np.divmod(index.astype(np.int64), max(units, 1))
    return xr.Dataset(
        {
            "image": ("hole", image),
            "unit": ("hole", unit),
            "dimension": ("hole", dimension.astype(np.int64)),
            "birth": ("hole", birth.astype(np.int64), {"units": "rank"}),
            "death": ("hole", death, {"units": "rank"}),
        },
        attrs={"images": images, "units": units, "vertices": vertices, "convention": convention},
    )


@checks_kinds
def betti_curves(
    maps: Any,
    *,
    dimensions: Sequence[int] = (0, 1),
    convention: str = "paper",
    processes: int = 1,
) -> xr.DataArray:
    """Betti numbers of the feature topology of every map at every rank (Zhao and Zhang 2021, §2.2).

    Args:
      maps: as for `birth_points`.
      dimensions: as for `persistence`.
      convention: as for `birth_points`. `"authors"` gives the curves of the authors' code, which
        end with the ranks that enter there, and in which the zeros of a map enter too.
      processes: as for `birth_points`.

    Returns:
      Integers by `image`, `unit`, `dimension` and `rank`: for n×n maps from 1 to n(n−1)/2, by
      `"authors"` from 0 to ⌈0.8 · n(n−1)/2⌉ − 1. Once all values of a map have entered its numbers
      stay.

    Raises:
      InputError: as `persistence`.
    """
    holes = persistence(maps, dimensions=dimensions, convention=convention, processes=processes)
    images, units, vertices = (holes.attrs[name] for name in ("images", "units", "vertices"))
    rules = convention_of(convention)
    first = rules.first_rank
    beyond = first + rules.num_ranks(vertices)
    changes = np.zeros((images, units, len(dimensions), beyond + 1), np.int64)
    place = np.searchsorted(np.sort(dimensions), holes.dimension)
    place = np.argsort(dimensions)[place]
    at = (holes.image.values, holes.unit.values, place)
    np.add.at(changes, (*at, holes.birth.values), 1)
    lasting = np.minimum(holes.death.values, beyond).astype(np.int64)
    np.add.at(changes, (*at, lasting), -1)
    curves: Int64[np.ndarray, "images units dimensions ranks"] = changes.cumsum(3)[..., first:-1]
    return xr.DataArray(
        curves,
        dims=("image", "unit", "dimension", "rank"),
        coords={"dimension": list(dimensions), "rank": np.arange(first, beyond)},
        attrs={"convention": convention},
        name="betti_number",
    )


def _checked(maps: Any, dimensions: Sequence[int], processes: int) -> np.ndarray:
    if not len(dimensions) or min(dimensions) < 0 or len(set(dimensions)) < len(dimensions):
        raise InputError(
            f"dimensions={list(dimensions)}: give different numbers from 0 on, such as (0, 1)"
        )
    check_processes(processes)
    check_installed("ripser", "topology", "persistence")
    return checked_maps(maps)
