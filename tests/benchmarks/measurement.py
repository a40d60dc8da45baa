"""The fast sweep and its contenders, compared and timed in turn; importing this needs PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float, Int

import jaxunits as ju

from .clock import clocked, steady
from .contenders import JaxSide, TorchSide, torch_seconds
from .torch_networks import Twin, torch_twin

NEAR = 1e-3
Seconds = dict[str, list[float]]


@dataclass(frozen=True)
class Case:
    """What is measured of a network.

    Attributes:
      layers: whose units are ablated.
      images: how many images.
      batch_size: images per batch, on all sides.
      masks_at_once: masks that `vmap` evaluates together.
    """

    layers: tuple[str, ...]
    images: int
    batch_size: int
    masks_at_once: int


@dataclass(frozen=True)
class Settings:
    """How every case is measured.

    Attributes:
      rounds: how often each side runs.
      units: how many units the loops of PyTorch are timed on.
      masks: how many masks `vmap` is timed on, at most.
      channels_last: whether PyTorch keeps channels on the last axis in memory.
    """

    rounds: int
    units: int
    masks: int
    channels_last: bool


class Compared(NamedTuple):
    """How much a comparison of predictions says.

    Attributes:
      changed: predictions that ablation changes.
      near: near ties, which were not compared: the two best logits differ by `NEAR` at most.
    """

    changed: int
    near: int


@dataclass(frozen=True)
class Measurement:
    """A line of the tables.

    Attributes:
      layer: the layer.
      units: its units.
      compared: how the counts compared.
      seconds: for each side the seconds of each round.
    """

    layer: str
    units: int
    compared: Compared
    seconds: Seconds


@dataclass(frozen=True)
class Sides:
    """All that run against each other on one layer.

    Attributes:
      ours: the fast sweep.
      pytorch: PyTorch's ways.
      jax: JAX's other ways.
      units: the units that the loops of PyTorch are timed on.
      chunks: the chunks of masks that `vmap` is timed on.
    """

    ours: Callable[[], xr.Dataset]
    pytorch: TorchSide
    jax: JaxSide
    units: list[int]
    chunks: int


def measure_network(
    network: ju.networks.Classifier, case: Case, settings: Settings
) -> list[Measurement]:
    """Measure the layers of a case, and add them up if there are several.

    The bias of the logits is changed.
    """
    network, twin, data = prepare(network, case)
    measured = [measure(network, twin, data, layer, case, settings) for layer in case.layers]
    if len(measured) == 1:
        return measured
    seconds = {
        side: [sum(parts) for parts in zip(*(each.seconds[side] for each in measured), strict=True)]
        for side in measured[0].seconds
    }
    compared = Compared(*map(sum, zip(*(each.compared for each in measured), strict=True)))
    units = sum(each.units for each in measured)
    return [*measured, Measurement("sum", units, compared, seconds)]


def prepare(
    network: ju.networks.Classifier, case: Case
) -> tuple[ju.networks.Classifier, Twin, ju.data.Dataset]:
    """The network, its twin, and random images on which silencing a unit changes predictions.

    Each class gets the same mean logit, so that predictions differ from image to image, and the
    images are labeled in turn with their best and their second best class.
    """
    random = np.random.default_rng(0)
    preprocessing = network.preprocessing
    squares = random.integers(0, 256, (case.images, 8, 8, preprocessing.channels), np.uint8)
    side = preprocessing.size[0] // 8
    pictures = squares.repeat(side, axis=1).repeat(side, axis=2)
    names = [str(number) for number in range(network.classes)]
    blank = ju.data.load((pictures, np.zeros(case.images, np.int64)), class_names=names)
    batches = list(ju.data.batches(blank, preprocessing, case.batch_size))
    twin = torch_twin(network)
    last = twin.order[-1]
    logits = TorchSide(twin, last, batches).plain()
    bias = ju.networks.arrays(network)[f"{last}.bias"] - logits.mean(0)
    network = ju.networks.with_arrays(network, {f"{last}.bias": bias})
    order = (logits - logits.mean(0)).argsort(axis=1)
    labels = np.where(np.arange(case.images) % 2, order[:, -2], order[:, -1])
    return network, torch_twin(network), ju.data.load((pictures, labels), class_names=names)


def measure(
    network: ju.networks.Classifier,
    twin: Twin,
    data: ju.data.Dataset,
    layer: str,
    case: Case,
    settings: Settings,
) -> Measurement:
    """Compare the counts of all sides on a layer, then time them."""

    def ours() -> xr.Dataset:
        return ju.ablation.sweep(network, layer, data, batch_size=case.batch_size, method="fast")

    batches = list(ju.data.batches(data, network.preprocessing, case.batch_size))
    pytorch = TorchSide(twin, layer, batches, channels_last=settings.channels_last)
    jax_side = JaxSide(network, layer, batches, case.masks_at_once)
    units = pytorch.liveliest(settings.units)
    chunks = min(jax_side.chunks, max(2, settings.masks // case.masks_at_once))
    sides = Sides(ours, pytorch, jax_side, units, chunks)
    labels = np.concatenate([batch.labels[batch.valid] for batch in batches])
    compared = compare(sides, labels)
    rounds = [one_round(sides) for _ in range(settings.rounds)]
    seconds = {side: [each[side] for each in rounds] for side in rounds[0]}
    return Measurement(layer, jax_side.units, compared, seconds)


def compare(sides: Sides, labels: Int[np.ndarray, " images"]) -> Compared:
    """Run every side once, and assert that all agree on the units that are timed."""
    logits = sides.pytorch.hooked(sides.units)
    cached = sides.pytorch.suffix(sides.pytorch.prefix(), sides.units)
    np.testing.assert_allclose(cached, logits, rtol=0, atol=1e-4 * np.abs(logits).max())
    near = check_counts(sides.ours().correct.values[sides.units], logits, labels)
    sides.jax.vmapped(1)
    rows = sides.jax.vmapped(sides.chunks)[:, : len(labels)]
    plain = sides.jax.plain()[: len(labels)]
    np.testing.assert_array_equal(rows[0], plain)
    best = np.sort(logits, axis=2)[..., -2:]
    for unit, row, (second, first) in zip(
        sides.units, logits.argmax(2), np.moveaxis(best, 2, 1), strict=True
    ):
        if unit + 1 < len(rows):
            np.testing.assert_array_equal((rows[unit + 1] == row) | (first - second <= NEAR), True)
    return Compared(int((logits.argmax(2) != plain).sum()), near)


def check_counts(
    found: Int[np.ndarray, "units classes"],
    logits: Float[np.ndarray, "units images classes"],
    labels: Int[np.ndarray, " images"],
) -> int:
    """Assert that the counts are those of PyTorch's logits, near ties apart.

    Returns:
      How many predictions are near ties.
    """
    best = np.sort(logits, axis=2)[..., -2:]
    near = best[..., 1] - best[..., 0] <= NEAR
    right = logits.argmax(2) == labels
    for counts, tied, correct in zip(found, near, right, strict=True):
        least = np.bincount(labels[correct & ~tied], minlength=len(counts))
        most = least + np.bincount(labels[tied], minlength=len(counts))
        assert ((least <= counts) & (counts <= most)).all()
    return int(near.sum())


def one_round(sides: Sides) -> dict[str, float]:
    """Seconds of each side for all units, those that are timed on a few units scaled up."""
    pytorch = torch_seconds(sides.pytorch, sides.units, sides.jax.units + 1)
    seconds = {
        "ours": steady(lambda: float(sides.ours().attrs["run_seconds"])),
        "plain JAX": clocked(sides.jax.plain),
        **pytorch,
        "vmapped masks": clocked(lambda: sides.jax.vmapped(sides.chunks)),
    }
    left = sides.jax.chunks - sides.chunks
    if left:
        one = clocked(lambda: sides.jax.vmapped(1))
        seconds["vmapped masks"] += (seconds["vmapped masks"] - one) / (sides.chunks - 1) * left
    return seconds
