"""Cumulative ablation of single classes, in the orders of several rankings.

Zhao and Zhang 2021 §3.4.

Orders are chosen on training images; accuracy and loss of a class are measured on its held-out
images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import xarray as xr
from jaxtyping import Int64

import jaxunits as ju

from ..measurement import SWEEP, Measured, Measurement, Option, Results
from ..progress import each_with_bar, image_bar
from ..subject import Subject, present_classes
from .births import BIRTHS, births, births_of
from .topology import Topology, chosen_classes, square_layers, topology_images

Orders = Int64[np.ndarray, "orders units"]
CUMULATIVE: tuple[Option, ...] = (*SWEEP, *BIRTHS, (Topology, "p"))
_OPTIONS = tuple((Topology, name) for name in ("shown_class", "random_orders", "greedy"))
_DIRECTIONS = ("most important first", "least important first")


def cumulative_content(subject: Subject, layer: str) -> dict[str, str]:
    """What ablations in orders of birth points depend on beside `CUMULATIVE`."""
    return {
        **subject.sweep_settings(layer),
        "chosen_on": topology_images(subject).fingerprint,
    }


def shown_held_out_class(subject: Subject) -> str:
    """The class that single-class figures show, of those with held-out images."""
    return subject.config.of(Topology).shown(held_out_classes(subject))


def held_out_classes(subject: Subject) -> list[str]:
    """The chosen classes that have training images and held-out images.

    Raises:
      InputError: there are none.
    """
    present = present_classes(subject.data)
    found = [name for name in chosen_classes(subject, topology_images(subject)) if name in present]
    if not found:
        raise ju.InputError(
            f"no class has images in the split {subject.data.split!r} of data "
            f"{subject.data.name!r} and among the training images: give another --split"
        )
    return found


def importance_order(
    subject: Subject, births: xr.Dataset, name: str
) -> Int64[np.ndarray, " units"]:
    """The units of a layer by their effectiveness for a class."""
    effectiveness = subject.config.of(Topology).effectiveness(births_of(births, name).values)
    return ju.topology.importance_order(effectiveness)


def _measure(subject: Subject, layers: Sequence[str], results: Results) -> Measured:
    training = topology_images(subject)
    with image_bar(subject.console, "attributes on training images") as progress:
        attributes = ju.attributes.collect(
            subject.network, list(layers), training, top_images=0, progress=progress
        )
    for layer in layers:
        classes = held_out_classes(subject)
        each = []
        title = f"cumulative ablation of {layer}"
        for name in each_with_bar(subject.console, title, classes, of="classes"):
            importance = importance_order(subject, results["births"][layer], name)
            orders = {"importance": importance, **_rankings(attributes[layer], name)}
            each.append(_curves(subject, layer, name, orders, _greedy(subject, layer, name)))
        yield layer, xr.concat(each, "class", data_vars="all", join="outer")


def _rankings(attributes: xr.Dataset, name: str) -> dict[str, Int64[np.ndarray, " units"]]:
    """Units by other attributes, the most important first."""
    by_class = attributes.sel({"class": name})
    scores = {"L1 norm": attributes.l1_norm} if "l1_norm" in attributes else {}
    scores |= {
        "APoZ": -attributes.apoz,
        "class selectivity": by_class.class_selectivity_by_class,
        "Taylor": by_class.taylor_by_class,
    }
    return {key: np.argsort(-score.values, kind="stable") for key, score in scores.items()}


def _greedy(subject: Subject, layer: str, name: str) -> Orders:
    """The greedy order of the shown class, chosen on training images; of others none."""
    units = subject.units(layer)
    if not subject.config.of(Topology).greedy or name != shown_held_out_class(subject):
        return np.empty((0, units), np.int64)
    found = ju.ablation.greedy(
        subject.network,
        layer,
        ju.data.of_class(topology_images(subject), name),
        classes=[name],
        random=0,
        values=subject.config.values,
        reference=subject.data,
        progress=False,
        **subject.options(),
    )
    return found.ordered_unit.values[:, 1:]


def _curves(
    subject: Subject,
    layer: str,
    name: str,
    rankings: Mapping[str, Int64[np.ndarray, " units"]],
    greedy: Orders,
) -> xr.Dataset:
    """Accuracy and loss of a class along all orders, measured at once."""
    topology = subject.config.of(Topology)
    ranked = np.stack(list(rankings.values()))
    count, units = ranked.shape
    random = ju.ablation.random_orders(units, topology.random_orders, seed=topology.seed)
    orders = np.concatenate([ranked, ranked[:, ::-1], random, greedy])
    images = ju.data.of_class(subject.data, name)
    measured = class_curves(subject, ju.ablation.cumulative, layer, orders, name, images)
    variables: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}
    for kind, curves in measured.items():
        both, drawn, bound = np.split(curves.values, [2 * count, 2 * count + len(random)])
        variables[kind] = (("direction", "ranking", "step"), both.reshape(2, count, -1))
        variables[f"random_{kind}"] = (("draw", "step"), drawn)
        last = bound[0] if len(bound) else np.full(units + 1, np.nan)
        variables[f"greedy_{kind}"] = (("step",), last)
    return xr.Dataset(
        {**variables, "ordered_unit": (("ranking", "position"), ranked)},
        coords={
            "ranking": list(rankings),
            "direction": list(_DIRECTIONS),
            "step": np.arange(units + 1),
            "class": name,
        },
    )


def class_curves(
    subject: Subject,
    along: Callable[..., xr.Dataset],
    layer: str,
    orders: Int64[np.ndarray, "*orders units"],
    name: str,
    images: ju.data.Dataset,
) -> dict[str, xr.DataArray]:
    """Share of correct images and mean loss of a class along orders of a layer's units.

    Args:
      subject: the network; means and draws for ablated units are of all its images.
      along: `ju.ablation.cumulative` or `insertion`.
      layer: the layer.
      orders: `[units]` or `[orders, units]`.
      name: the class.
      images: of this class.

    Returns:
      `accuracy`, 0 to 1, and `loss`, in nats: `[step]`, or with `order` among the dimensions.
    """
    measured = along(
        subject.network,
        layer,
        images,
        orders,
        values=subject.config.values,
        reference=subject.data,
        progress=False,
        **subject.options(),
    ).sel({"class": name}, drop=True)
    return {
        "accuracy": measured.class_accuracy,
        "loss": measured.loss_sum / measured.n_images,
    }


def _planned(subject: Subject, layer: str) -> object:
    """The curves of a class along as many orders as there are."""
    order = np.arange(subject.units(layer))
    orders = dict.fromkeys(("importance", "L1 norm", "APoZ", "selectivity", "Taylor"), order)
    name = shown_held_out_class(subject)
    return _curves(subject, layer, name, orders, order[None])


cumulative = Measurement(
    "cumulative",
    _measure,
    cumulative_content,
    options=(*CUMULATIVE, *_OPTIONS),
    layers=square_layers,
    after=(births,),
    training="images",
    calls=lambda subject: len(held_out_classes(subject)),
    planned=_planned,
)
