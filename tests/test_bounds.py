"""Ranges of numbers, and how large what somebody asked for may be."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pytest
from flax import nnx

import jaxunits as ju

NETWORKS = {
    "mlp": ju.networks.mlp,
    "convnet": ju.networks.convnet,
    "alexnet": ju.networks.alexnet,
    "alexnet_bn": ju.networks.alexnet_bn,
    "vgg16": ju.networks.vgg16,
    "vgg16_bn": ju.networks.vgg16_bn,
    "resnet18": ju.networks.resnet18,
}
SCALED = [name for name in NETWORKS if name not in ("mlp", "convnet")]
SIZE = ju.data.Preprocessing((8, 8), 1)


@pytest.mark.parametrize(
    ("allowed", "inside", "outside", "text"),
    [
        (ju.Range(0, 1), (0, 0.5, 1), (-0.1, 1.1), "a number from 0 up to 1"),
        (ju.Range(0, 1, open="both"), (0.5,), (0, 1), "a number above 0 below 1"),
        (ju.Range(0, open="least"), (1e-300, 10**400), (0, -1), "a number above 0"),
        (ju.Range(0, 1, open="most"), (0,), (1,), "a number from 0 below 1"),
        (ju.Range(), (-(10**400), 0), (), "a finite number"),
        (ju.Range(1, whole=True), (1, np.uint8(3)), (0, 1.0, "1", True), "a whole number from 1"),
        (ju.Range(whole=True), (-(10**400), 0), (0.5,), "a finite whole number"),
    ],
)
def test_ranges(allowed, inside, outside, text):
    assert str(allowed) == text
    assert all(number in allowed for number in inside)
    for number in (*outside, np.nan, np.inf, -np.inf):
        assert number not in allowed


@dataclass(frozen=True)
class Inner:
    shares: Annotated[tuple[float, ...], ju.Range(0, 1)] = ()


@dataclass(frozen=True)
class Outer:
    inner: Inner
    count: Annotated[int | None, ju.Range(1)] = None


def test_settings_are_checked_at_any_depth():
    ju.check_settings(Outer(Inner((0.0, 1.0))))
    with pytest.raises(ju.InputError) as caught:
        ju.check_settings(Outer(Inner((0.5, 2.0, np.nan)), 0))
    assert str(caught.value) == (
        "inner.shares=2.0: give a number from 0 up to 1; inner.shares=nan: give a number from 0 "
        "up to 1; count=0: give a number from 1"
    )


# JAX takes the last 32 bits of a seed, so that 2^32 would draw what 0 draws.
@pytest.mark.parametrize("seed", [-1, 2**32, 2**64])
@pytest.mark.parametrize(
    "draw",
    [
        *(lambda seed, build=build: build(2, seed=seed) for build in NETWORKS.values()),
        lambda seed: ju.ablation.random_groups(4, 2, 3, seed=seed),
        lambda seed: ju.ablation.random_orders(4, 2, seed=seed),
        lambda seed: ju.ablation.haar(4, seed=seed),
        lambda seed: ju.topology.random_subsets(4, 2, seed=seed),
        lambda seed: ju.statistics.chance_drops([[1]], [[0]], [2], seed=seed),
        lambda seed: ju.data.sample(ju.data.load("digits", "validation[:9]"), 3, seed=seed),
        lambda seed: ju.data.random_labels(
            ju.data.load("digits", "validation[:9]"), 0.5, seed=seed
        ),
    ],
)
def test_seeds_have_32_bits(draw, seed):
    with pytest.raises(
        ju.InputError, match=f"seed={seed}: give a whole number from 0 up to 4294967295"
    ):
        draw(seed)


@pytest.mark.parametrize("width", [10**6, 10**12, 10**20])
def test_widths_that_fill_the_memory(width):
    for name in ("mlp", "convnet"):
        with pytest.raises(ju.InputError, match="parameters or more, and at most 536,870,912"):
            NETWORKS[name](10, widths=[4, width, width])
    with pytest.raises(ju.InputError, match="parameters or more, and at most 536,870,912"):
        ju.networks.mlp(10, widths=[width])
    for name in SCALED:
        with pytest.raises(ju.InputError, match="parameters or more, and at most 536,870,912"):
            NETWORKS[name](10, width=float(width))


def test_many_layers_that_fill_the_memory_together():
    with pytest.raises(ju.InputError, match="2,415,919,104 parameters or more"):
        ju.networks.mlp(2**14, widths=[2**14] * 9, preprocessing=SIZE)


def test_classes_and_maps_that_fill_the_memory():
    for build in NETWORKS.values():
        with pytest.raises(ju.InputError, match="at most 536,870,912 fit into 2 GiB"):
            nnx.eval_shape(lambda build=build: build(10**12))
    with pytest.raises(ju.InputError, match=r"kernel is \(1048576, 1000\) has 1,048,576,000"):
        ju.networks.convnet(
            10,
            widths=[4],
            pool_after=[],
            dense=[1000],
            preprocessing=ju.data.Preprocessing((512, 512), 1),
        )


@pytest.mark.parametrize("width", [float("nan"), float("inf"), 0.0, -1.0])
def test_widths_that_are_no_widths(width):
    for name in SCALED:
        with pytest.raises(ju.InputError, match=f"width={width}: give at least one class and a"):
            NETWORKS[name](10, width=width)


@pytest.mark.parametrize("threads", [0, -1, 10**9])
def test_threads(threads):
    data = ju.data.load("digits", "validation[:9]")
    for act in (
        lambda: ju.data.batches(data, ju.data.Preprocessing((28, 28), 1), 4, threads=threads),
        lambda: ju.data.in_memory(data, threads=threads),
    ):
        with pytest.raises(ju.InputError, match=f"threads={threads}: give a whole number from"):
            act()


def test_batches_that_fill_the_memory():
    data = ju.data.load("digits", "validation[:9]")
    with pytest.raises(ju.InputError, match="batch_size=100000000 gives 100,000,000 × 784 numbers"):
        ju.data.batches(data, ju.data.Preprocessing((28, 28), 1), 10**8)
    ju.data.check_batch(ju.data.Preprocessing((28, 28), 1), 2**21)
    ju.data.check_batch(ju.data.Preprocessing((28, 28), 1), 10**8, processes=64)
