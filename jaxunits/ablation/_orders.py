"""Cumulative ablation and insertion: units one after another, of one layer or of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import xarray as xr
from jaxtyping import Float32, Int
from numpy.typing import ArrayLike

from .._arguments import check_whole, from_options, whole_array
from .._bounds import SEEDS, Range, check_numbers, check_table
from .._errors import InputError
from ..data import Dataset
from ..execution import Progress, check_call
from ..networks import Classifier, Layer
from ..results import fingerprint
from ._counts import answer
from ._execution import Execution, Options
from ._question import Question, Values, question_of


def cumulative(
    network: Classifier,
    layers: str | Sequence[str] | None,
    data: Dataset,
    orders: ArrayLike,
    *,
    values: Values = "zero",
    reference: Dataset | None = None,
    seed: int = 0,
    file: str | Path | None = None,
    progress: Progress | bool | None = None,
    **options: Unpack[Options],
) -> xr.Dataset:
    """Ablate units one after another.

    Each step costs the contribution of one unit to the next affine stage, a running sum, and what
    lies behind it (Zhao and Zhang 2021, §3.4; Morcos et al. 2018).

    Args:
      network: as in `sweep`.
      layers: the layer; or several, or None for all, whose units are in one order.
      data: the images.
      orders: `[units]` or `[orders, units]`: the units in their order. Units that an order
        leaves out are never ablated. The units of several layers are numbered through, in the
        network's order of the layers: those of the second follow the last of the first.
      values: what an ablated unit gives, as in `sweep`; of several layers zero.
      reference: images for the means, or to draw from; `data` by default.
      seed: the seed of the draw of `values="resample"`.
      file: where the result is kept, as in `sweep`.
      progress: as in `sweep`.
      **options: execution options, see `Execution`.

    Returns:
      What `sweep` returns, with the dimensions `order` (if several are given), `step` (0 before
      the first unit) and `class`, and as `ordered_unit` the unit of each step, −1 at step 0; of
      several layers as `ordered_layer` its layer too, empty at step 0.

    Raises:
      InputError: an order names a unit that does not exist or one twice, there are several layers
        and other values than zero; and as in `sweep`.
    """
    return _along(
        "cumulative",
        network,
        layers,
        data,
        orders,
        {"values": values, "reference": reference, "seed": seed},
        file,
        progress,
        from_options(Execution, options, cumulative),
    )


def insertion(
    network: Classifier,
    layers: str | Sequence[str] | None,
    data: Dataset,
    orders: ArrayLike,
    *,
    values: Values = "zero",
    reference: Dataset | None = None,
    seed: int = 0,
    file: str | Path | None = None,
    progress: Progress | bool | None = None,
    **options: Unpack[Options],
) -> xr.Dataset:
    """Insert units one by one into the layer with every unit ablated (Zhao and Zhang 2021, §3.6).

    Arguments, result and errors are those of `cumulative`; units that an order leaves out are never
    inserted.

    Args:
      network: as in `sweep`.
      layers: as in `cumulative`.
      data: the images.
      orders: `[units]` or `[orders, units]`, as in `cumulative`; units that an order leaves out are
        never inserted.
      values: what an ablated unit gives, as in `sweep`.
      reference: images for the means, or to draw from; `data` by default.
      seed: the seed of the draw of `values="resample"`.
      file: where the result is kept, as in `sweep`.
      progress: as in `sweep`.
      **options: how it is carried out, see `Execution`.

    Returns:
      What `cumulative` returns; step 0 is the layer with every unit ablated.

    Raises:
      InputError: as in `cumulative`.
    """
    return _along(
        "insertion",
        network,
        layers,
        data,
        orders,
        {"values": values, "reference": reference, "seed": seed},
        file,
        progress,
        from_options(Execution, options, insertion),
    )


def _along(
    kind: str,
    network: Classifier,
    layers: str | Sequence[str] | None,
    data: Dataset,
    orders: ArrayLike,
    ablated: Mapping[str, Any],
    file: str | Path | None,
    progress: Progress | bool | None,
    carried_out: Execution,
) -> xr.Dataset:
    check_call(network, file, progress)
    first, *others = (network.layers[name] for name in network.chosen_layers(layers))
    where = ", ".join(each.name for each in (first, *others))
    if others and not (isinstance(ablated["values"], str) and ablated["values"] == "zero"):
        raise InputError(f"values for the layers {where}: leave them out, which gives zero")
    given = whole_array(orders, "orders", f" for layer {where!r}")
    single = given.ndim == 1
    several = checked_orders(
        given[None] if single else given, sum(each.num_units for each in (first, *others)), where
    )
    question = question_of(network, first.name, data, carried_out, **ablated)
    settings = question.settings(kind, masks=f"{kind} {fingerprint(several)}")
    if others:
        settings |= {"layer": where, "other_masks": "along the orders"}
    return measure_orders(
        question,
        several,
        others=others,
        inserted=kind == "insertion",
        single=single,
        settings={**settings, "orders": "one" if single else str(len(several))},
        file=file,
        progress=progress,
    )


def measure_orders(
    question: Question,
    orders: Int[np.ndarray, "orders steps"],
    *,
    others: Sequence[Layer] = (),
    inserted: bool = False,
    single: bool = False,
    variables: Mapping[str, Any] | None = None,
    **arguments: Any,
) -> xr.Dataset:
    """The result of orders of units, one after another; see `cumulative` and `answer`.

    Args:
      question: the layer, and what ablated units give.
      orders: distinct units in each row.
      others: layers whose units follow those of the question's.
      inserted: insert instead of ablate.
      single: leave out the dimension `order`.
      variables: what is added to the result.
      **arguments: of `answer`.
    """
    layers = (question.layer, *others)
    starts = np.cumsum([0, *(each.num_units for each in layers)])
    masks = masks_of_orders(orders, int(starts[-1]), inserted=inserted)
    first, *rest = np.split(masks, starts[1:-1], axis=1)
    along = {each.name: own for each, own in zip(others, rest, strict=True)}
    named: dict[str, Any] = {} if single else {"order": np.arange(len(orders))}
    place = np.searchsorted(starts, orders, side="right") - 1
    ordered = {"ordered_unit": _from_step_1(orders - starts[place], -1)}
    if others:
        names = np.asarray([each.name for each in layers], object)
        ordered["ordered_layer"] = _from_step_1(names[place], "")
    steps = (*named, "step")
    return answer(
        question.under(first, along),
        coordinates={**named, "step": np.arange(orders.shape[1] + 1)},
        variables={
            **{name: (steps, each[0] if single else each) for name, each in ordered.items()},
            **(variables or {}),
        },
        **arguments,
    )


def _from_step_1(values: np.ndarray, before: Any) -> np.ndarray:
    """A column more, for step 0."""
    return np.insert(values, 0, before, axis=1)


def random_orders(
    num_units: int, num_orders: int, *, seed: int = 0
) -> Int[np.ndarray, "orders units"]:
    """Random orders of all units of a layer, for comparison.

    Args:
      num_units: how many units the layer has.
      num_orders: how many orders.
      seed: the seed of the draw.

    Returns:
      `[orders, units]`, the units in the order in which they come.

    Raises:
      InputError: there are no units, the number of orders is negative, or the seed is outside 0 to
        2^32 - 1.
    """
    check_whole(num_units=num_units)
    if num_units < 1:
        raise InputError(f"num_units={num_units}: give at least one unit")
    check_numbers(num_orders=(num_orders, Range(0, whole=True)), seed=(seed, SEEDS))
    check_table(max(1, num_orders), num_units, f"num_orders={num_orders}, num_units={num_units}")
    random = np.random.default_rng(seed)
    orders = [random.permutation(num_units) for _ in range(num_orders)]
    return np.asarray(orders, np.int64).reshape(num_orders, num_units)


def masks_of_orders(
    orders: Int[np.ndarray, "orders steps"], units: int, *, inserted: bool
) -> Float32[np.ndarray, "masks units"]:
    """The masks of every step of every order, the step before the first unit included."""
    count, steps = orders.shape
    changed = np.zeros((count, steps + 1, units), bool)
    order, step = np.indices(orders.shape)
    changed[order, step + 1, orders] = True
    changed = np.logical_or.accumulate(changed, axis=1)
    return (changed == inserted).reshape(-1, units).astype(np.float32)


def checked_orders(
    orders: Int[np.ndarray, ...], units: int, layer: str
) -> Int[np.ndarray, "orders steps"]:
    """Orders of distinct units of a layer, or of several.

    Args:
      orders: what is given.
      units: how many units there are.
      layer: the name, for messages.

    Raises:
      InputError: they are not; the first wrong unit is named.
    """
    if orders.ndim != 2 or orders.size == 0:
        raise InputError(
            f"orders of shape {orders.shape} for layer {layer!r}: give [units] or [orders, units]"
        )
    for number, order in enumerate(orders):
        outside = order[(order < 0) | (order >= units)]
        if len(outside):
            raise InputError(
                f"unit {outside[0]} in order {number} of layer {layer!r}: give 0 to {units - 1}"
            )
        values, times = np.unique(order, return_counts=True)
        if (times > 1).any():
            raise InputError(
                f"unit {values[times > 1][0]} comes {times.max()} times in order {number} of layer "
                f"{layer!r}: give every unit at most once"
            )
    return orders
